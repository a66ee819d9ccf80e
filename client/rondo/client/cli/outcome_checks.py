"""The label of a model, for checks of outcomes before they are sent."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from rondo.client.errors import ForbiddenError, NotFoundError, RefusedError, UnavailableError, UnreachableError
from rondo.contracts.tasks.registry import TASKS

if TYPE_CHECKING:
    from rondo.client.asynchronous import AsyncRondo
    from rondo.contracts.events.predictions import OutcomeObserved
    from rondo.contracts.tasks.base import Labels

_LABEL = "label"  # the kind of a column
_MOST_LISTED = 10


@dataclass(frozen=True)
class Label:
    """The label column of a model, and its values if they are known.

    `classes` are those that the champion knows. They are empty if the champion knows every value of `labels`, and if
    serving did not answer.
    """

    column: str
    labels: Labels | None
    classes: tuple[str, ...] = ()

    def check(self, observed: OutcomeObserved) -> None:
        """Raise RefusedError if an outcome is not a value of the label."""
        if self.labels is not None and self.labels.parse(observed.outcome) is None:
            # The number as it was typed, such as 3 instead of 3.0.
            shown = f"{observed.outcome:g}" if isinstance(observed.outcome, float) else repr(observed.outcome)
            raise RefusedError(
                f"{shown} is not an outcome of {observed.model}: its label `{self.column}` is {self.labels.expected}",
                code="bad_outcome",
            )

    def doubt(self, observed: OutcomeObserved) -> str | None:
        """Return a warning if the outcome is a class that the champion does not know. It may be a new class."""
        found = None if self.labels is None else self.labels.parse(observed.outcome)
        if not self.classes or found is None or str(found) in self.classes:
            return None
        folded = {each.lower(): each for each in self.classes}
        close = get_close_matches(str(found).lower(), folded, n=1)
        hint = f"did you mean {folded[close[0]]!r}?" if close else f"it knows {_listed(self.classes)}"
        return (
            f"{str(found)!r} is no class that the champion of {observed.model} knows ({hint}): it is sent, as new"
            " classes may appear. Send another outcome for the same prediction to correct it"
        )


def _listed(classes: tuple[str, ...]) -> str:
    more = f" and {len(classes) - _MOST_LISTED:,} more" if len(classes) > _MOST_LISTED else ""
    return f"{', '.join(classes[:_MOST_LISTED])}{more}"


async def label_of(rondo: AsyncRondo, model: str) -> Label | None:
    """Return the label of a model. None if the registry or ingestion does not answer.

    Raises:
        NotFoundError: the model does not exist.

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
    # A registry of a later release may have a task that this release does not know.
    if task is None or column["kind"] != _LABEL:
        return Label(data["label"], None)
    labels = task.labels(data.get("positive"), data.get("negative"))
    return Label(data["label"], labels, await _classes(rondo, model) if task.open_classes else ())


async def _classes(rondo: AsyncRondo, model: str) -> tuple[str, ...]:
    """Return the classes of the champion. Empty if it has none or serving does not answer."""
    try:
        return await rondo.classes(model)
    except (UnreachableError, UnavailableError, ForbiddenError, NotFoundError):
        return ()
