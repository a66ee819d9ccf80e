"""How much the model relies on the features that have changed, by the importance that the trainer has measured.

The values of a feature that is permuted say nothing of its row any more. If a change takes all that several features
say, the loss rises by about the sum of what each alone adds. Importance is measured within the values of the training:
a model of which little is known beyond them may still go wrong there.
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
"""A loss that is higher by less than this share is no harm that a training would be worth."""
_POSSIBLE_ERRORS = 2.0
_USED, _UNKNOWN, _HARDLY_USED = range(3)


@dataclass(frozen=True)
class Reliance:
    """The importance of the features that have changed, the most important one first, beside the `loss` of the model.

    `complete` says that nothing else has changed.
    """

    features: tuple[FeatureImportance, ...]
    loss: float
    complete: bool

    @property
    def is_slight(self) -> bool:
        """Whether the loss would hardly rise if all that has changed said nothing any more."""
        return self.complete and _most(self.features) <= SLIGHT * self.loss


def reliance(importance: Importance | None, columns: Iterable[str]) -> Reliance | None:
    """Return how much the model relies on what has changed. None where the importance of no changed feature is known.

    `columns` are features, projections and outputs. Where a feature has changed, projections that it is a part of have,
    too: they say nothing more.
    """
    names = dict.fromkeys(columns)
    if importance is None or not (known := [each for each in importance.features if each.feature in names]):
        return None
    others = {name for name in names if not is_projection(name)} - {each.feature for each in known}
    return Reliance(tuple(known), importance.loss, complete=not others)


def order_of(importance: Importance | None, columns: Iterable[str]) -> Callable[[str | None], int]:
    """Return the key by which changed columns are ordered: what the model hardly relies on comes last."""
    has_feature = any(not is_projection(name) for name in columns)

    def key(column: str | None) -> int:
        if is_projection(column):
            return _UNKNOWN if has_feature else _USED
        return _HARDLY_USED if is_hardly_used(importance, column) else _USED

    return key


def is_hardly_used(importance: Importance | None, column: str | None) -> bool:
    """Return whether a column is a feature without which the loss would hardly rise. Not where that is not known."""
    found = importance.of(column) if importance and column else None
    return importance is not None and found is not None and _most([found]) <= SLIGHT * importance.loss


def _most(features: Iterable[FeatureImportance]) -> float:
    """Return the most by which the loss is to be expected to rise without features."""
    return sum(max(each.loss_increase, 0.0) + _POSSIBLE_ERRORS * each.error for each in features)
