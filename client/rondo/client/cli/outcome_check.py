"""Whether ingestion can take an outcome, as far as the public APIs tell: it alone decides, and says so later."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rondo.client.errors import NotFoundError, RefusedError, UnavailableError, UnreachableError
from rondo.contracts.spec.labels import BinaryLabels

if TYPE_CHECKING:
    from rondo.client.asynchronous import AsyncRondo
    from rondo.contracts.events.predictions import OutcomeObserved

_BINARY = "label"  # the kind of a column that holds the label


async def check(rondo: AsyncRondo, outcome: OutcomeObserved) -> bool:
    """Return whether the outcome was seen to fit its model; False where nobody could be asked.

    Raises:
        NotFoundError: there is no such model.
        RefusedError: it is no value of the model's label.

    """
    try:
        data = (await rondo.spec(outcome.model))["spec"]["data"]
    except (UnreachableError, UnavailableError):
        return False
    try:
        columns = (await rondo.dataset(data["dataset"]))["columns"]
    except (UnreachableError, UnavailableError, NotFoundError):  # it may not have heard of the spec yet
        return False
    label = next((column for column in columns if column["name"] == data["label"]), {"kind": None})
    if label["kind"] == _BINARY:
        compare(outcome, data["label"], BinaryLabels(data.get("positive"), data.get("negative")))
    return True


def compare(outcome: OutcomeObserved, label: str, labels: BinaryLabels) -> None:
    """Check an outcome against the values of the label.

    Raises:
        RefusedError: it is neither of them.

    """
    if labels.parse(outcome.outcome) is None:
        raise RefusedError(
            f"{outcome.outcome!r} is not an outcome of {outcome.model}: its label `{label}` is {labels.expected}",
            code="bad_outcome",
        )
