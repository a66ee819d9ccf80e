"""`rondo quarantine` and `failed`: what was not taken in, what was not answered, and why."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Annotated

import typer

from rondo.client.cli.output import Json, print_json, print_table, print_text
from rondo.client.cli.session import using

if TYPE_CHECKING:
    from rondo.client.asynchronous import AsyncRondo
    from rondo.client.kafka.failed_requests import Failed

Last = Annotated[int, typer.Option(min=1, max=1000, help="At most so many, the latest ones.")]


def quarantine(
    dataset: Annotated[str, typer.Argument(help="The dataset, as the spec's `data.dataset` names it.")],
    batch_id: Annotated[str | None, typer.Option(help="Of this batch alone.")] = None,
    last: Last = 20,
    json: Json = False,  # noqa: FBT002 - a flag of the command line
) -> None:
    """List the rows that were kept out of a dataset, each with its reasons and as it came."""
    rows = using(lambda rondo: rondo.quarantine(dataset, batch_id, last))
    if json:
        print_json(rows)
    elif not rows:
        print_text(f"nothing is in the quarantine of {f'batch {batch_id} of ' if batch_id else ''}{dataset}")
    else:
        cells = [(row["batch_id"], row["row"], row["reason"], row["content"]) for row in rows]
        print_table(("batch", "row, from 0", "why", "as it came"), cells)


def failed(
    model: Annotated[str | None, typer.Argument(help="Requests to this one alone.")] = None,
    last: Last = 20,
    follow: Annotated[bool, typer.Option("--follow", help="Go on with new ones until Ctrl-C.")] = False,  # noqa: FBT002
    json: Json = False,  # noqa: FBT002
) -> None:
    """List the prediction requests that could not be answered, and why: the topic predictions.failed."""

    async def collected(rondo: AsyncRondo) -> list[Failed]:
        async with aclosing(rondo.failed(model, last)) as letters:
            return [letter async for letter in letters]

    async def followed(rondo: AsyncRondo) -> None:
        async with aclosing(rondo.failed(model, last, follow=True)) as letters:
            async for letter in letters:
                print_json(letter.model_dump(mode="json")) if json else print_text(_line(letter))

    if follow:
        using(followed)
        return
    found = using(collected)
    if json:
        print_json([letter.model_dump(mode="json") for letter in found])
    elif not found:
        print_text(f"no request{f' to {model}' if model else ''} was refused of late")
    else:
        print_table(("when", "model", "request", "reason", "what is wrong"), [_cells(letter) for letter in found])


def _cells(letter: Failed) -> tuple[str, str | None, str | None, str, str]:
    when = f"{letter.failed_at.astimezone():%Y-%m-%d %H:%M:%S}"
    return when, letter.model, letter.id, letter.reason, letter.message


def _line(letter: Failed) -> str:
    when, model, request, reason, message = _cells(letter)
    return f"{when}  {model or '-'}  {request or '-'}  {reason}: {message}"
