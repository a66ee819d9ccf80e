"""The watched columns in their order, and from counts of rows by bin to sums of their components, bucket by bucket."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from rondo.chassis.profiles.components import components
from rondo.chassis.profiles.projections import computable
from rondo.contracts.events.logs import OUTPUT
from rondo.contracts.training_evidence import NumericProfile, UnknownProfile
from rondo.contracts.vocabularies import StatisticName

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from rondo.chassis.profiles.binning import Binning
    from rondo.contracts.training_evidence import CategoricalProfile, FeatureProfile, ReferenceProfile

    Watchable = NumericProfile | CategoricalProfile


Group = Literal["inputs", "outputs", "loss", "slices"]
GROUPS: tuple[Group, ...] = ("inputs", "outputs", "loss")
"""Each has a third of the false-alarm rate. Slices share that of the loss."""
INPUT_GROUPS: tuple[Group, ...] = ("inputs", "outputs")
"""The groups that need no outcomes."""
LOSS: Group = "loss"
SLICES: Group = "slices"
"""The losses of slices. Each slice has rows of its own, other than the components of the other groups."""
UNCOVERED = "uncovered"
"""The component of a loss that is 1 where the outcome is outside of the interval."""
_NAMES = {"level": StatisticName.LEVEL, "spread": StatisticName.SPREAD, "missing": StatisticName.MISSING,
          "unseen": StatisticName.UNSEEN, LOSS: StatisticName.LOSS,
          UNCOVERED: StatisticName.INTERVAL_COVERAGE}  # fmt: skip


@dataclass(frozen=True)
class Component:
    """A bounded figure of a row.

    `column` is a feature, a projection such as `projection 1`, an output such as `output.score`, or None for the loss
    and for the coverage of intervals. With a `value` it is about the rows alone where the column has it (a slice).
    `at` is its place in the sums of its group, or of its slice.
    """

    group: Group
    column: str | None
    name: str
    at: int
    value: str | None = None

    @property
    def statistic(self) -> StatisticName:
        return _NAMES.get(self.name, StatisticName.SHARE)

    @property
    def category(self) -> str | None:
        """The category that it is the share of, or the value of the slice that it is about."""
        return self.name.removeprefix("share of ") if self.statistic == StatisticName.SHARE else self.value

    def reported(self, mean: float) -> float:
        """Return a mean of the component as people read its statistic: what an interval covers, not what it misses."""
        return 1 - mean if self.name == UNCOVERED else mean


def watched_columns(profile: ReferenceProfile) -> Mapping[Group, Mapping[str, Watchable]]:
    """Return what is watched without outcomes: features and then projections, and outputs; by their names in `Binning`.

    The components of a group are in this order, without the columns whose kind of profile is unknown.
    """
    inputs = profile.features | computable(profile.features, profile.projections)
    outputs = {f"{OUTPUT}{name}": part for name, part in profile.outputs.items()}
    return {"inputs": _known(inputs), "outputs": _known(outputs)}


def row_range(column: Watchable) -> NDArray[np.float64]:
    """Return the largest value of each component of a row of the reference less the smallest, shape `[components]`."""
    values = components(column).values
    if not isinstance(column, NumericProfile):
        return np.asarray(np.ptp(values, axis=0))
    seen = np.append(np.array(column.counts) > 0, column.missing > 0)
    # Whether a value is missing is 0 or 1, also where none was.
    return np.asarray(np.maximum(np.ptp(values[seen], axis=0) if seen.any() else 0.0, [0.0, 0.0, 1.0]))


def _known(columns: Mapping[str, FeatureProfile]) -> Mapping[str, Watchable]:
    return {name: part for name, part in columns.items() if not isinstance(part, UnknownProfile)}


@dataclass(frozen=True, eq=False)
class ComponentSums:
    """For each watched column its group, its place among the bins, and its components in each of its bins."""

    columns: tuple[tuple[Group, slice, NDArray[np.float64]], ...]

    @classmethod
    def of(cls, profile: ReferenceProfile, binning: Binning) -> ComponentSums:
        places = {bins.name: slice(bins.offset, bins.offset + bins.size) for bins in binning.watched}
        return cls(
            tuple(
                (group, places[name], components(part).values)
                for group, columns in watched_columns(profile).items()
                for name, part in columns.items()
            )
        )

    def sums(self, group: Group, counts: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the sums of the components of a group; counts `[buckets, bins]` give `[buckets, components]`."""
        parts = [counts[:, place] @ values for mine, place, values in self.columns if mine == group]
        return np.concatenate([np.zeros((len(counts), 0)), *parts], axis=1)
