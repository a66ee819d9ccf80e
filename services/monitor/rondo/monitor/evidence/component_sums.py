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
from rondo.monitor.evidence.open_buckets import BucketArrays

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from rondo.chassis.profiles.binning import Binning, ColumnBins
    from rondo.contracts.training_evidence import CategoricalProfile, FeatureProfile, ReferenceProfile
    from rondo.monitor.evidence.open_buckets import BucketedRows, Part

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
TOO_LOW, TOO_HIGH = "too low", "too high"
"""The components of a loss that say how much the outcome is above what was predicted, and how much it is below."""
_NAMES = {"level": StatisticName.LEVEL, "spread": StatisticName.SPREAD, "missing": StatisticName.MISSING,
          "unseen": StatisticName.UNSEEN, LOSS: StatisticName.LOSS,
          UNCOVERED: StatisticName.INTERVAL_COVERAGE, TOO_LOW: StatisticName.CALIBRATION,
          TOO_HIGH: StatisticName.CALIBRATION}  # fmt: skip


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
        """Return a mean of the component as people read its statistic: what an interval covers, not what it misses.

        Where predictions are too high, the outcome minus the prediction is negative.
        """
        if self.name == TOO_HIGH:
            return -mean
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
class _ColumnValues:
    """A watched column of a group: its `row` among the bins of rows, its `place` among counts, and its components.

    `values` has these in each bin, shape `[bins, components]`. Of a numeric column, `pairs` has level and spread as
    complex numbers, so that one pass adds up both.
    """

    group: Group
    row: int
    place: slice
    values: NDArray[np.float64]
    pairs: NDArray[np.complex128] | None

    @classmethod
    def of(cls, group: Group, row: int, bins: ColumnBins, profile: Watchable) -> _ColumnValues:
        values = components(profile).values
        # Adding 0 makes 0 of -0, as in sums by counts.
        is_numeric = isinstance(profile, NumericProfile)
        pairs = np.asarray(values[:, 0] + 1j * values[:, 1] + 0.0, np.complex128) if is_numeric else None
        return cls(group, row, slice(bins.offset, bins.offset + bins.size), values, pairs)

    def sums(self, counts: NDArray[np.int64]) -> NDArray[np.float64]:
        return np.asarray(counts[:, self.place] @ self.values)

    def add_up(self, rows: BucketedRows, firsts: NDArray[np.int64], found: NDArray[np.float64]) -> None:
        """Write the sums of buckets whose first rows have these numbers into zeros of shape `[buckets, components]`."""
        bins, missing = rows.bins[self.row], len(self.values) - 1
        if self.pairs is None:
            numbers = np.repeat(np.arange(len(firsts)) * len(self.values), rows.rows)
            counts = np.bincount(numbers + bins, minlength=len(firsts) * len(self.values))
            found[:] = counts.reshape(len(firsts), -1) @ self.values
            return
        found[:, :2] = np.add.reduceat(self.pairs.take(bins), firsts).view(np.float64).reshape(-1, 2)
        if (absent := bins == missing).any():
            found[:, 2] = np.add.reduceat(absent, firsts, dtype=np.float64)


@dataclass(frozen=True, eq=False)
class ComponentSums:
    """The components of all watched columns. Sums of them are exact, be it by rows or by counts of rows."""

    columns: tuple[_ColumnValues, ...]

    @classmethod
    def of(cls, profile: ReferenceProfile, binning: Binning) -> ComponentSums:
        rows = {bins.name: row for row, bins in enumerate(binning.watched)}
        return cls(
            tuple(
                _ColumnValues.of(group, rows[name], binning.watched[rows[name]], part)
                for group, columns in watched_columns(profile).items()
                for name, part in columns.items()
            )
        )

    def sums(self, group: Group, counts: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the sums of the components of a group. Counts `[buckets, bins]` give `[buckets, components]`."""
        parts = [column.sums(counts) for column in self.columns if column.group == group]
        return np.concatenate([np.zeros((len(counts), 0)), *parts], axis=1)

    def of_part(self, group: Group, part: Part) -> BucketArrays:
        """Return the buckets with the sums of the components of a group instead of counts."""
        if isinstance(part, BucketArrays):
            return part._replace(counts=self.sums(group, part.counts))
        mine = [column for column in self.columns if column.group == group]
        firsts, ends = part.firsts, np.cumsum([0, *(column.values.shape[1] for column in mine)])
        sums = np.zeros((len(firsts), ends[-1]))
        for column, first, end in zip(mine, ends[:-1], ends[1:], strict=True):
            column.add_up(part, firsts, sums[:, first:end])
        return BucketArrays(part.starts, part.rows, sums)
