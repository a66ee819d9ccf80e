"""The reliance of the model on the features that have changed, by the importance that the trainer has measured.

The trainer permutes a feature, so that its values carry no information about their rows. If several features lose all
their information, the loss rises by about the sum of their importances. Importance is measured within the range of the
training values: beyond it the model may still make larger errors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rondo.chassis.profiles.projections import is_projection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from rondo.contracts.events.training import FeatureImportance
    from rondo.contracts.training_evidence import Importance

SLIGHT = 0.1
"""The share of the loss below which a rise is not worth a training."""
_POSSIBLE_ERRORS = 2.0
_USED, _UNKNOWN, _HARDLY_USED = range(3)


@dataclass(frozen=True)
class Reliance:
    """The importance of the features that have changed, the most important one first, and the `loss` of the model.

    `complete` is true if nothing else has changed.
    """

    features: tuple[FeatureImportance, ...]
    loss: float
    complete: bool

    @property
    def is_slight(self) -> bool:
        """True if the loss would hardly rise even if all that has changed carried no information any more."""
        return self.complete and _most(self.features) <= SLIGHT * self.loss


def reliance(importance: Importance | None, columns: Iterable[str]) -> Reliance | None:
    """Return the model's reliance on what has changed. None if no importance of a changed feature is known.

    `columns` are features, projections and outputs. A projection that a changed feature is a part of changes as well,
    so it adds no information.
    """
    names = dict.fromkeys(columns)
    if importance is None or not (known := [each for each in importance.features if each.feature in names]):
        return None
    others = {name for name in names if not is_projection(name)} - {each.feature for each in known}
    return Reliance(tuple(known), importance.loss, complete=not others)


def order_of(importance: Importance | None, columns: Iterable[str]) -> Callable[[str | None], int]:
    """Return the sort key of changed columns. Columns that the model hardly relies on come last."""
    has_feature = any(not is_projection(name) for name in columns)

    def key(column: str | None) -> int:
        if is_projection(column):
            return _UNKNOWN if has_feature else _USED
        return _HARDLY_USED if is_hardly_used(importance, column) else _USED

    return key


def is_hardly_used(importance: Importance | None, column: str | None) -> bool:
    """Return whether a column is a feature without which the loss would hardly rise. False if that is not known."""
    found = importance.of(column) if importance and column else None
    return importance is not None and found is not None and _most([found]) <= SLIGHT * importance.loss


def _most(features: Iterable[FeatureImportance]) -> float:
    """Return the largest expected rise of the loss without these features."""
    return sum(max(each.loss_increase, 0.0) + _POSSIBLE_ERRORS * each.error for each in features)
