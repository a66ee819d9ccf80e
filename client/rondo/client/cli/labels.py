"""The label of a model, to check outcomes before they are sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rondo.client.errors import ForbiddenError, NotFoundError, RefusedError, UnavailableError, UnreachableError
from rondo.contracts.tasks.registry import TASKS

if TYPE_CHECKING:
    from rondo.client.asynchronous import AsyncRondo
    from rondo.contracts.events.predictions import OutcomeObserved
    from rondo.contracts.tasks.base import Labels

_LABEL = "label"  # the kind of a column


@dataclass(frozen=True)
class Label:
    """The label column of a model, and its values where they are known."""

    column: str
    labels: Labels | None

    def check(self, observed: OutcomeObserved) -> None:
        """Raise RefusedError if an outcome is not a value of the label."""
        if self.labels is not None and self.labels.parse(observed.outcome) is None:
            # A number as it was typed: 3 and not 3.0.
            shown = f"{observed.outcome:g}" if isinstance(observed.outcome, float) else repr(observed.outcome)
            raise RefusedError(
                f"{shown} is not an outcome of {observed.model}: its label `{self.column}` is {self.labels.expected}",
                code="bad_outcome",
            )


async def label_of(rondo: AsyncRondo, model: str) -> Label | None:
    """Return the label of a model; None if registry or ingestion could not be asked.

    Raises:
        NotFoundError: there is no such model.

    """
    try:
        spec = (await rondo.spec(model))["spec"]
    except (UnreachableError, UnavailableError, ForbiddenError):
        return None
    try:
        data, task = spec["data"], TASKS.get(spec["task"])
        columns = (await rondo.dataset(data["dataset"]))["columns"]
    except (UnreachableError, UnavailableError, ForbiddenError, NotFoundError):  # ingestion may not have the spec yet
        return None
    column: dict[str, Any] = next((each for each in columns if each["name"] == data["label"]), {"kind": None})
    # A registry of a later release may have a task that this one does not know.
    if task is None or column["kind"] != _LABEL:
        return Label(data["label"], None)
    return Label(data["label"], task.labels(data.get("positive"), data.get("negative")))
