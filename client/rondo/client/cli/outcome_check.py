"""Whether ingestion can take an outcome, as far as the public APIs tell: it alone decides, and says so later."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rondo.client.errors import NotFoundError, RefusedError, UnavailableError, UnreachableError

if TYPE_CHECKING:
    from rondo.client.asynchronous import AsyncRondo
    from rondo.contracts.events.predictions import OutcomeObserved

_BINARY = "label"  # the kind of a column whose values are 0 and 1


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
    compare(outcome, next((column for column in columns if column["name"] == data["label"]), {"kind": None}))
    return True


def compare(outcome: OutcomeObserved, label: dict[str, Any]) -> None:
    """Hold an outcome against the column that the training learns from.

    Raises:
        RefusedError: it is no value of that column.

    """
    if label["kind"] == _BINARY and outcome.outcome not in {0, 1}:
        raise RefusedError(
            f"{outcome.outcome:g} is no outcome of {outcome.model}: its label `{label['name']}` is 0 or 1, send one of "
            "the two",
            code="bad_outcome",
        )
