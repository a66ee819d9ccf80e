"""`rondo outcome`: the true outcome of a prediction."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rondo.client import messages
from rondo.client.cli import session
from rondo.client.cli.arguments import event_time
from rondo.client.cli.bulk import outcomes as bulk
from rondo.client.cli.outcome_checks import label_of
from rondo.client.cli.output import Json, print_json, print_note, print_text

if TYPE_CHECKING:
    from rondo.client.asynchronous import AsyncRondo


def outcome(
    model: str,
    value: Annotated[
        str | None, typer.Argument(help="What happened: 1 or 0, a label, or a number.", metavar="OUTCOME")
    ] = None,
    id: Annotated[str | None, typer.Option(help="The id of the prediction.")] = None,  # noqa: A002
    entity: Annotated[str | None, typer.Option(help="The entity of the prediction.")] = None,
    at: Annotated[str, typer.Option(help="When it was known, such as 2013-03-01T12:00:00Z; now by default.")] = "",
    outcomes: Annotated[
        typer.FileBinaryRead | None,
        typer.Option(
            "--from", metavar="FILE", help="Send those of JSON Lines ({outcome, id or entity, event_time}); - is stdin."
        ),
    ] = None,
    unmatched: Annotated[bool, typer.Option("--unmatched", help="Count the outcomes without a prediction.")] = False,  # noqa: FBT002
    json: Json = False,  # noqa: FBT002
) -> None:
    """Send the true outcome of a prediction, or those of many from a file."""
    if unmatched:
        if value is not None or outcomes is not None:
            raise typer.BadParameter("--unmatched sends nothing: leave out the outcome and --from")
        _print_unmatched(model, json=json)
        return
    if (value is None) == (outcomes is None):
        raise typer.BadParameter("give an outcome, such as `rondo outcome MODEL 1 --id ID`, or a file with --from")
    known_at = event_time(at) if at else datetime.now(UTC)
    if outcomes is not None:
        if id or entity:
            raise typer.BadParameter("--id and --entity are those of one outcome: with --from each line has its own")
        raise typer.Exit(bulk.run(outcomes, model, known_at if at else None, json=json))
    label = _label(str(value))
    observed = messages.outcome(model, label, known_at, id, entity)

    async def send(rondo: AsyncRondo) -> bool:
        found = await label_of(rondo, model)
        if found is not None:
            found.check(observed)
            if doubt := found.doubt(observed):
                print_note(f"warning: {doubt}")
        await rondo.send_outcome(model, label, known_at, id=id, entity=entity)
        return found is not None

    is_checked = session.run(send)
    sent = {"model": model, "outcome": label, "id": id, "entity": entity, "event_time": known_at}
    if json:
        print_json(sent | {"checked": is_checked})
        return
    doubt = "" if is_checked else "; not checked"
    print_text(f"sent: the outcome of {entity or id} is {value}{doubt}; {bulk.follow_up(model)}")


def _print_unmatched(model: str, *, json: bool) -> None:
    async def ask(rondo: AsyncRondo) -> dict[str, Any]:
        return await rondo.drift(model)

    found = session.run(ask)
    unmatched, late = found["unmatched"], found["dropped"].get("late_outcomes", 0)
    if json:
        print_json({"model": model, **unmatched, "late_outcomes": late})
        return
    print_text(
        f"{unmatched['outcomes']:,} outcomes of {model} have no prediction with their id or entity by the version in"
        f" production, and {unmatched['predictions']:,} predictions no outcome; {late:,} outcomes came after their"
        " window had closed. Outcomes of predictions by earlier versions are among them, and are trained on all the"
        " same. Compare the other ids with those of the requests: an outcome that is sent again with the right one"
        " counts"
    )


def _label(text: str) -> float | str:
    """Return a number as a number, so that it is a number in JSON. Other texts, such as `007`, stay as they are."""
    try:
        number = float(text)
    except ValueError:
        return text
    is_number = math.isfinite(number) and text in {repr(number), f"{number:.0f}", f"{number:g}"}
    return number if is_number else text
