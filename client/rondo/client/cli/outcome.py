"""`rondo outcome`: how something turned out that was predicted."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from rondo.client import messages
from rondo.client.cli import outcome_check
from rondo.client.cli.output import Json, print_json, print_text
from rondo.client.cli.publish import event_time
from rondo.client.cli.session import using

if TYPE_CHECKING:
    from rondo.client.asynchronous import AsyncRondo


def outcome(
    model: str,
    value: Annotated[str, typer.Argument(help="The label: 1 or 0, or a text that the spec names.", metavar="OUTCOME")],
    id: Annotated[str | None, typer.Option(help="The id of the prediction.")] = None,  # noqa: A002
    entity: Annotated[str | None, typer.Option(help="What the prediction was about.")] = None,
    at: Annotated[str, typer.Option(help="When it was known, such as 2013-03-01T12:00:00Z; now by default.")] = "",
    json: Json = False,  # noqa: FBT002
) -> None:
    """Say how something turned out that was predicted."""
    known_at = event_time(at) if at else datetime.now(UTC)
    label = _label(value)

    async def send(rondo: AsyncRondo) -> bool:
        is_checked = await outcome_check.check(rondo, messages.outcome(model, label, known_at, id, entity))
        await rondo.send_outcome(model, label, known_at, id=id, entity=entity)
        return is_checked

    is_checked = using(send)
    sent = {"model": model, "outcome": label, "id": id, "entity": entity, "event_time": known_at}
    if json:
        print_json(sent | {"checked": is_checked})
        return
    doubt = f"; ingestion takes it if it knows {model}, else it is among ingestion.dead-letters with the reason"
    print_text(f"sent: the outcome of {entity or id} is {value}{'' if is_checked else doubt}")


def _label(text: str) -> float | str:
    """Return a finite number as one, so that JSON has it as a number; any other text as it is."""
    try:
        number = float(text)
    except ValueError:
        return text
    return number if math.isfinite(number) else text
