"""`rondo outcome`: the true outcome of a prediction."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rondo.client import messages
from rondo.client.cli import session
from rondo.client.cli.arguments import event_time
from rondo.client.cli.output import Json, print_json, print_text
from rondo.client.errors import ForbiddenError, NotFoundError, RefusedError, UnavailableError, UnreachableError
from rondo.contracts.events.data import OutcomesAccepted
from rondo.contracts.spec.labels import BinaryLabels

if TYPE_CHECKING:
    from rondo.client.asynchronous import AsyncRondo
    from rondo.contracts.events.predictions import OutcomeObserved

FOLLOW_UP = (
    f"`rondo watch {OutcomesAccepted.topic}` shows whether it was joined with a prediction, `rondo failed --outcomes` "
    "whether it was refused"
)
_LABEL = "label"  # the kind of a column


def outcome(
    model: str,
    value: Annotated[str, typer.Argument(help="The label: 1 or 0, or a text that the spec names.", metavar="OUTCOME")],
    id: Annotated[str | None, typer.Option(help="The id of the prediction.")] = None,  # noqa: A002
    entity: Annotated[str | None, typer.Option(help="The entity of the prediction.")] = None,
    at: Annotated[str, typer.Option(help="When it was known, such as 2013-03-01T12:00:00Z; now by default.")] = "",
    json: Json = False,  # noqa: FBT002
) -> None:
    """Send the true outcome of a prediction."""
    known_at = event_time(at) if at else datetime.now(UTC)
    label = _label(value)

    async def send(rondo: AsyncRondo) -> bool:
        is_checked = await _check(rondo, messages.outcome(model, label, known_at, id, entity))
        await rondo.send_outcome(model, label, known_at, id=id, entity=entity)
        return is_checked

    is_checked = session.run(send)
    sent = {"model": model, "outcome": label, "id": id, "entity": entity, "event_time": known_at}
    if json:
        print_json(sent | {"checked": is_checked})
        return
    doubt = "" if is_checked else "; not checked"
    print_text(f"sent: the outcome of {entity or id} is {value}{doubt}; {FOLLOW_UP}")


async def _check(rondo: AsyncRondo, observed: OutcomeObserved) -> bool:
    """Return True if the outcome fits its model, and False if registry or ingestion could not be asked.

    Raises:
        NotFoundError: there is no such model.
        RefusedError: it is not a value of the model's label.

    """
    try:
        data = (await rondo.spec(observed.model))["spec"]["data"]
    except (UnreachableError, UnavailableError, ForbiddenError):
        return False
    try:
        columns = (await rondo.dataset(data["dataset"]))["columns"]
    except (UnreachableError, UnavailableError, ForbiddenError, NotFoundError):  # ingestion may not have the spec yet
        return False
    column: dict[str, Any] = next((each for each in columns if each["name"] == data["label"]), {"kind": None})
    labels = BinaryLabels(data.get("positive"), data.get("negative"))
    if column["kind"] == _LABEL and labels.parse(observed.outcome) is None:
        raise RefusedError(
            f"{observed.outcome!r} is not an outcome of {observed.model}: its label `{data['label']}` is "
            f"{labels.expected}",
            code="bad_outcome",
        )
    return True


def _label(text: str) -> float | str:
    """Return a finite number as such, so that JSON has it as a number; any other text unchanged."""
    try:
        number = float(text)
    except ValueError:
        return text
    return number if math.isfinite(number) else text
