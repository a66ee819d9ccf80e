"""The watched columns in their order, and the sums of their components by bucket, from counts of rows by bin."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np

from rondo.chassis.profiles.components import OUT_OF_RANGE, Components, components
from rondo.chassis.profiles.projections import computable
from rondo.contracts.events.logs import OUTPUT
from rondo.contracts.training_evidence import NumericProfile, ReferenceBlocks, UnknownProfile
from rondo.contracts.vocabularies import StatisticName
from rondo.monitor.evidence.open_buckets import BucketArrays

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from rondo.chassis.profiles.binning import Binning, ColumnBins
    from rondo.contracts.training_evidence import (
        CategoricalProfile,
        ColumnBlocks,
        FeatureProfile,
        ReferenceProfile,
    )
    from rondo.monitor.evidence.open_buckets import BucketedRows, Part

    Watchable = NumericProfile | CategoricalProfile


Group = Literal["inputs", "outputs", "loss", "slices", "detectors", "gaps"]
GROUPS: tuple[Group, ...] = ("inputs", "outputs", "loss")
"""The groups that have a third of the false-alarm rate each. Slices share the third of the loss."""
INPUT_GROUPS: tuple[Group, ...] = ("inputs", "outputs")
"""The groups that need no outcomes."""
LOSS: Group = "loss"
SLICES: Group = "slices"
"""The losses of slices. The rows of each slice are a subset of the rows of the other groups."""
DETECTORS: Group = "detectors"
"""The figures of users' detectors. They have an equal share of the false-alarm rate where the spec names some."""
GAPS: Group = "gaps"
"""The gaps between the groups of `gates.fairness`. With the loss and the slices they share the third of the loss."""
EVERY_GROUP: tuple[Group, ...] = (*GROUPS, SLICES, GAPS, DETECTORS)
UNCOVERED = "uncovered"
"""The component of a loss that is 1 if the outcome is outside of the interval."""
TOO_LOW, TOO_HIGH = "too low", "too high"
"""The components of a loss that add up how far the outcome is above the prediction, and how far it is below."""
_NAMES = {"level": StatisticName.LEVEL, "spread": StatisticName.SPREAD, "missing": StatisticName.MISSING,
          "unseen": StatisticName.UNSEEN, OUT_OF_RANGE: StatisticName.OUT_OF_RANGE, LOSS: StatisticName.LOSS,
          UNCOVERED: StatisticName.INTERVAL_COVERAGE, TOO_LOW: StatisticName.CALIBRATION,
          TOO_HIGH: StatisticName.CALIBRATION, "selection_rate": StatisticName.SELECTION_RATE_GAP,
          "accuracy": StatisticName.ACCURACY_GAP}  # fmt: skip


# A user's figure may have any size, and means of blocks are on a grid of a millionth. Compressed figures keep their
# order, and differences of a millionth of a figure are kept, too.
_LARGEST, _MAGNIFIED = 1e300, 1e6


def compressed(figures: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the figures of a user's detector as its test has them, see `Component.reported`."""
    return np.asarray(np.arcsinh(_MAGNIFIED * np.clip(figures, -_LARGEST, _LARGEST)))


@dataclass(frozen=True)
class Component:
    """A bounded figure of a row, or a figure of a block from a user's detector.

    `column` is a feature, a projection such as `projection 1`, an output such as `output.score`, or None for the loss
    and for the coverage of intervals. With a `value` it covers only the rows where the column has that value (a slice).
    The `value` of a detector's figure is its name, and that of a gap are its groups and its rate.
    `at` is its index in the sums of its group, or of its slice.
    """

    group: Group
    column: str | None
    name: str
    at: int
    value: str | None = None

    @property
    def statistic(self) -> str:
        """The name of the statistic. A user's figure is called as in closed windows, such as `Entropy`."""
        if self.group == DETECTORS:
            return self.name.partition(":")[2]
        return _NAMES.get(self.name, StatisticName.SHARE)

    @property
    def category(self) -> str | None:
        """The category whose share the component is, or the value of its slice."""
        if self.group == DETECTORS:
            return None
        if self.group == GAPS:
            return (self.value or "").rpartition(", ")[0]
        return self.name.removeprefix("share of ") if self.statistic == StatisticName.SHARE else self.value

    def reported(self, mean: float) -> float:
        """Return a mean of the component as its statistic is reported.

        The component of an interval counts the outcomes that it misses, and the statistic is the share that it covers.
        Where predictions are too high, the statistic (outcome minus prediction) is negative. The mean of compressed
        figures is a typical figure: close to the geometric mean where all have one sign and are not tiny.
        """
        if self.group == DETECTORS:
            return float(np.sinh(mean) / _MAGNIFIED)
        if self.name == TOO_HIGH:
            return -mean
        return 1 - mean if self.name == UNCOVERED else mean


def watched_columns(profile: ReferenceProfile) -> Mapping[Group, Mapping[str, Watchable]]:
    """Return what is watched without outcomes, by the names in `Binning`: features and projections, and outputs.

    The components of a group are in this order. Columns whose kind of profile is unknown are left out.
    """
    inputs = profile.features | computable(profile.features, profile.projections)
    outputs = {f"{OUTPUT}{name}": part for name, part in profile.outputs.items()}
    return {"inputs": _known(inputs), "outputs": _known(outputs)}


def reference_blocks(profile: ReferenceProfile) -> Mapping[Group, ReferenceBlocks]:
    """Return the blocks of the inputs and those of the outputs, with the column names of `watched_columns`."""
    found: dict[Group, ReferenceBlocks] = {}
    if inputs := profile.feature_blocks:
        projected = profile.projections.blocks if profile.projections else {}
        found["inputs"] = ReferenceBlocks(rows=inputs.rows, columns=inputs.columns | projected)
    if outputs := profile.output_blocks:
        columns = {f"{OUTPUT}{name}": each for name, each in outputs.columns.items()}
        found["outputs"] = ReferenceBlocks(rows=outputs.rows, columns=columns)
    return found


def watched_components(column: Watchable, blocks: ColumnBlocks | None) -> Components:
    """Return the components of a column that are watched.

    Values out of range are watched only where the trainer has written a reference for them. So the components of a
    version that an earlier release has trained stay as they are in its checkpoint.
    """
    return components(column, out_of_range=blocks is not None and OUT_OF_RANGE in blocks.means)


def places_of(columns: Sequence[Sequence[str]]) -> list[list[int]]:
    """Return the place of each component of each column in the sums of a group, from the names of the components.

    Values out of range follow all others. So the components in a checkpoint keep their places where an earlier monitor,
    which did not know these, has begun the evidence.
    """
    first = [[name != OUT_OF_RANGE for name in names] for names in columns]
    among, later = itertools.count(), itertools.count(sum(map(sum, first)))
    return [[next(among if is_first else later) for is_first in each] for each in first]


def row_range(column: Watchable, watched: Components) -> NDArray[np.float64]:
    """Return the range (largest less smallest value) of each component over the reference, shape `[components]`."""
    values = watched.values
    if not isinstance(column, NumericProfile):
        return np.asarray(np.ptp(values, axis=0))
    seen = np.append(np.array(column.counts) > 0, column.missing > 0)
    # The components after level and spread are 0 or 1, so their range is 1 even where no row of the reference has a 1.
    least = np.array([0.0, 0.0, 1.0, 1.0])[: values.shape[1]]
    return np.asarray(np.maximum(np.ptp(values[seen], axis=0) if seen.any() else 0.0, least))


def _known(columns: Mapping[str, FeatureProfile]) -> Mapping[str, Watchable]:
    return {name: part for name, part in columns.items() if not isinstance(part, UnknownProfile)}


@dataclass(frozen=True, eq=False)
class _ColumnValues:
    """A watched column of a group: its `row` among the bins of rows, its `place` among counts, and its components.

    `values` has the components in each bin, shape `[bins, components]`. For a numeric column `pairs` has level and
    spread as complex numbers, so that one pass sums both.
    """

    group: Group
    row: int
    place: slice
    names: tuple[str, ...]
    values: NDArray[np.float64]
    pairs: NDArray[np.complex128] | None

    @classmethod
    def of(
        cls, group: Group, row: int, bins: ColumnBins, profile: Watchable, blocks: ColumnBlocks | None
    ) -> _ColumnValues:
        watched = watched_components(profile, blocks)
        values = watched.values
        # Adding 0 turns -0 into 0, as sums by counts do.
        is_numeric = isinstance(profile, NumericProfile)
        pairs = np.asarray(values[:, 0] + 1j * values[:, 1] + 0.0, np.complex128) if is_numeric else None
        return cls(group, row, slice(bins.offset, bins.offset + bins.size), watched.names, values, pairs)

    def sums(self, counts: NDArray[np.int64]) -> NDArray[np.float64]:
        return np.asarray(counts[:, self.place] @ self.values)

    def add_up(self, rows: BucketedRows, firsts: NDArray[np.int64], found: NDArray[np.float64]) -> None:
        """Write the sums of buckets into `found`, zeros of shape `[buckets, components]`.

        `firsts` has the index of the first row of each bucket.
        """
        bins, missing = rows.bins[self.row], len(self.values) - 1
        if self.pairs is None:
            numbers = np.repeat(np.arange(len(firsts)) * len(self.values), rows.rows)
            counts = np.bincount(numbers + bins, minlength=len(firsts) * len(self.values))
            found[:] = counts.reshape(len(firsts), -1) @ self.values
            return
        found[:, :2] = np.add.reduceat(self.pairs.take(bins), firsts).view(np.float64).reshape(-1, 2)
        if (absent := bins == missing).any():
            found[:, 2] = np.add.reduceat(absent, firsts, dtype=np.float64)
        if found.shape[1] > 3 and (beyond := (bins == 0) | (bins == missing - 1)).any():  # noqa: PLR2004 - see `_numeric`
            found[:, 3] = np.add.reduceat(beyond, firsts, dtype=np.float64)


@dataclass(frozen=True, eq=False)
class ComponentSums:
    """The components of all watched columns. Their sums are exact, and equal for rows and for counts of rows.

    `places` has the places of each column's components by group, see `places_of`.
    """

    columns: tuple[_ColumnValues, ...]

    @cached_property
    def places(self) -> Mapping[Group, list[list[int]]]:
        return {
            group: places_of([each.names for each in self.columns if each.group == group]) for group in INPUT_GROUPS
        }

    @classmethod
    def of(cls, profile: ReferenceProfile, binning: Binning) -> ComponentSums:
        rows, blocks = {bins.name: row for row, bins in enumerate(binning.watched)}, reference_blocks(profile)
        known = {group: each.columns for group, each in blocks.items()}
        return cls(
            tuple(
                _ColumnValues.of(group, rows[name], binning.watched[rows[name]], part, known.get(group, {}).get(name))
                for group, columns in watched_columns(profile).items()
                for name, part in columns.items()
            )
        )

    def sums(self, group: Group, counts: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the sums of the components of a group.

        Counts of shape `[buckets, bins]` give `[buckets, components]`.
        """
        parts = [column.sums(counts) for column in self.columns if column.group == group]
        return self._in_places(group, np.concatenate([np.zeros((len(counts), 0)), *parts], axis=1))

    def of_part(self, group: Group, part: Part) -> BucketArrays:
        """Return the buckets with the sums of the group's components in the place of counts."""
        if isinstance(part, BucketArrays):
            return part._replace(counts=self.sums(group, part.counts))
        mine = [column for column in self.columns if column.group == group]
        firsts, ends = part.firsts, np.cumsum([0, *(column.values.shape[1] for column in mine)])
        sums = np.zeros((len(firsts), ends[-1]))
        for column, first, end in zip(mine, ends[:-1], ends[1:], strict=True):
            column.add_up(part, firsts, sums[:, first:end])
        return BucketArrays(part.starts, part.rows, self._in_places(group, sums))

    def _in_places(self, group: Group, by_column: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return sums, shape `[buckets, components]`, in the order of `places`. Given are those of column by column."""
        order = [at for each in self.places[group] for at in each]
        if order == sorted(order):
            return by_column
        found = np.empty_like(by_column)
        found[:, order] = by_column
        return found
