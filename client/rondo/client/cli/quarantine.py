"""`rondo quarantine` and `rondo failed`: quarantined rows, and refused requests and outcomes."""

from __future__ import annotations

from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer

from rondo.client.cli import session
from rondo.client.cli.output import Json, print_json, print_list, print_table, print_text
from rondo.client.errors import ForbiddenError, UnavailableError, UnreachableError

if TYPE_CHECKING:
    from rondo.client.asynchronous import AsyncRondo
    from rondo.client.kafka.failed_requests import FailedRequest

_MOST_SHOWN = 60  # characters

Last = Annotated[int, typer.Option(min=1, max=1000, help="At most this many, the latest ones.")]


def quarantine(
    dataset: Annotated[str, typer.Argument(help="The dataset, as the spec's `data.dataset` names it.")],
    batch_id: Annotated[str | None, typer.Option(help="Only rows of this batch.")] = None,
    last: Last = 20,
    json: Json = False,  # noqa: FBT002 - a flag of the command line
) -> None:
    """List the rows that were quarantined, newest first, with the reasons and the original content."""
    print_list(
        session.run(lambda rondo: rondo.quarantine(dataset, batch_id, last)),
        ("batch", "row, from 1", "reason", "value", "content"),
        # The API counts from 0, and the messages of `rondo publish` count from 1.
        lambda row: (row["batch_id"], row["row"] + 1, row["reason"], _values(row), row["content"]),
        empty=f"no row of {f'batch {batch_id} of ' if batch_id else ''}{dataset} is in quarantine",
        json=json,
    )


def _values(row: dict[str, Any]) -> str:
    """Return the values that the reasons are about. Each reason begins with the name of its column."""
    try:
        content = orjson.loads(row["content"])
    except orjson.JSONDecodeError:  # another program may write to the table
        return ""
    if not isinstance(content, dict):
        return ""
    columns = {part.partition(":")[0] for part in row["reason"].split("; ")}
    return ", ".join(f"{name}={_shown(value)}" for name, value in content.items() if name in columns)


def _shown(value: object) -> str:
    text = orjson.dumps(value).decode()
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}…"


def failed(
    model: Annotated[str | None, typer.Argument(help="Only those to this model.")] = None,
    last: Last = 20,
    outcomes: Annotated[  # noqa: FBT002
        bool, typer.Option("--outcomes", help="Outcomes that ingestion refused, instead of requests.")
    ] = False,
    follow: Annotated[bool, typer.Option("--follow", help="Continue with new ones until Ctrl-C.")] = False,  # noqa: FBT002
    json: Json = False,  # noqa: FBT002
) -> None:
    """List the prediction requests that could not be answered, with the reasons, from the topic predictions.failed.

    With --outcomes list the refused outcomes, from the topic ingestion.dead-letters.
    """
    what = "outcome" if outcomes else "request"

    async def collect(rondo: AsyncRondo) -> list[FailedRequest]:
        async with aclosing(rondo.failed(model, last, outcomes=outcomes)) as requests:
            found = [request async for request in requests]
        if model is not None and not found:
            with suppress(UnreachableError, UnavailableError, ForbiddenError):
                await rondo.model(model)  # raises an error if the model does not exist
        return found

    async def print_all(rondo: AsyncRondo) -> None:
        async with aclosing(rondo.failed(model, last, follow=True, outcomes=outcomes)) as requests:
            async for request in requests:
                print_json(request.model_dump(mode="json")) if json else print_text(_line(request))

    if follow:
        session.run(print_all)
        return
    found = session.run(collect)
    if json:
        print_json([request.model_dump(mode="json") for request in found])
    elif not found:
        print_text(f"no {what}{f' to {model}' if model else ''} was refused recently")
    else:
        print_table(("when", "model", what, "reason", "message"), [_cells(request) for request in found])


def _cells(request: FailedRequest) -> tuple[str, str | None, str | None, str, str]:
    when = f"{request.failed_at.astimezone():%Y-%m-%d %H:%M:%S}"
    return when, request.model, request.id or request.entity, request.reason, request.message


def _line(request: FailedRequest) -> str:
    when, model, id_, reason, message = _cells(request)
    return f"{when}  {model or '-'}  {id_ or '-'}  {reason}: {message}"
