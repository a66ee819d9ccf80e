"""Regression: a number, with an interval of stated coverage if the spec asks for one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil, floor, isfinite, log2, sqrt
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from rondo.contracts.tasks.base import FittedTask, Interval, Output, ResidualScale, Storage, TargetKind
from rondo.contracts.tasks.label_values import number
from rondo.contracts.tasks.metrics import (
    INTERVAL_COVERAGE,
    MAE,
    MAPE,
    MEDIAN_ABSOLUTE_ERROR,
    PINBALL,
    R2,
    RMSE,
    by_name,
)
from rondo.contracts.tasks.sketches import Figure, numbers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    from rondo.contracts.tasks.base import Labels, Node
    from rondo.contracts.tasks.binned_figures import BinnedFigures
    from rondo.contracts.tasks.metrics import Metric

# The percentile of the squared errors that is the largest loss, so that one outlier does not dominate their mean.
_LARGEST_LOSS_PERCENT = 99
LARGEST_FLOAT32 = 3.4028234663852886e38


@dataclass(frozen=True)
class NumberLabels:
    """A finite number that float32 holds."""

    storage: ClassVar[Storage] = "number"

    @property
    def expected(self) -> str:
        return "a finite number"

    def parse(self, value: object) -> float | None:
        """Return the value of a number, or of a text that is a number."""
        if isinstance(value, bool):
            return None
        if isinstance(value, str):
            value = number(value)
        if not isinstance(value, int | float) or abs(value) > LARGEST_FLOAT32 or not isfinite(value):
            return None
        return float(value)

    def includes(self, stored: NDArray[np.float64]) -> NDArray[np.bool_]:
        return np.isfinite(stored)


class Regression:
    """See `base.Task`. A label is stored as float64. The raw prediction is the value."""

    name: ClassVar[str] = "regression"
    description: ClassVar[str] = "a number"
    target: ClassVar[TargetKind] = "number"
    metrics: ClassVar[Mapping[str, Metric]] = by_name(
        RMSE, MAE, MEDIAN_ABSOLUTE_ERROR, MAPE, R2, PINBALL, INTERVAL_COVERAGE
    )
    primary: ClassVar[str] = MAE.name
    rates: ClassVar[tuple[str, ...]] = ()
    options: ClassVar[frozenset[str]] = frozenset({"interval"})
    names_labels: ClassVar[bool] = False
    open_classes: ClassVar[bool] = False
    answer: ClassVar[str] = "value"
    counted: ClassVar[Mapping[str, str]] = {"number": "value", "low": "low", "high": "high"}

    def labels(self, positive: str | None, negative: str | None) -> NumberLabels:  # noqa: ARG002 - of binary labels
        return NumberLabels()

    def classes(self, labels: Sequence[float] | Sequence[str], known: Labels) -> tuple[str, ...]:  # noqa: ARG002
        return ()

    def targets(
        self,
        labels: NDArray[np.float64] | Sequence[float] | Sequence[str],
        classes: tuple[str, ...],  # noqa: ARG002
    ) -> NDArray[np.float32]:
        return np.asarray(labels, np.float32)

    def fitted(
        self,
        classes: tuple[str, ...],
        options: Mapping[str, Any],
        raw: NDArray[np.float64],
        targets: NDArray[np.float32],
    ) -> FittedTask:
        residuals = targets.astype(np.float64) - raw[:, 0]
        coverage = options.get("interval")
        interval = None if coverage is None else Interval(coverage=coverage, half_width=half_width(residuals, coverage))
        return FittedTask(
            task=self.name,
            labels=classes,
            interval=interval,
            scale=scale_of(residuals, targets),
            chosen_on=None if interval is None else len(raw),
        )

    def outputs(self, fitted: FittedTask) -> tuple[Output, ...]:
        value = (Output("value", "number"),)
        if fitted.interval is None:
            return value
        # The ends have a constant distance from the value, so they only drift together with it.
        ends = (Output(name, "number", watched=False, coverage=fitted.interval.coverage) for name in ("low", "high"))
        return (*value, *ends)

    def predictions(self, fitted: FittedTask, raw: NDArray[np.float64]) -> dict[str, NDArray[Any]]:
        value = raw[:, 0].astype(np.float32)
        if fitted.interval is None:
            return {"value": value}
        width = np.float32(fitted.interval.half_width)
        return {"value": value, "low": value - width, "high": value + width}

    def head(self, fitted: FittedTask, raw: str, node: Node) -> list[Any]:
        nodes = [node("Identity", [raw], ["output.value"], name="output.value")]
        if fitted.interval is not None:
            nodes += [
                node("Constant", [], ["head.width"], name="head.width", value_float=fitted.interval.half_width),
                node("Sub", [raw, "head.width"], ["output.low"], name="output.low"),
                node("Add", [raw, "head.width"], ["output.high"], name="output.high"),
            ]
        return nodes

    def sketch(self, fitted: FittedTask) -> ResidualSketch:
        return ResidualSketch(fitted.scale or ResidualScale(residual=1.0, label=1.0, center=0.0))

    def group_sketch(self, fitted: FittedTask) -> ResidualSketch:
        return replace(self.sketch(fitted), quantiles=False)

    def largest_loss(self, fitted: FittedTask, rows: pa.Table) -> float | None:  # noqa: ARG002 - the same for every model
        """Return the 99th percentile of the squared error."""
        errors = _squared_errors(rows)
        known = errors[np.isfinite(errors)]
        return float(np.percentile(known, _LARGEST_LOSS_PERCENT)) if len(known) else None

    def losses(self, fitted: FittedTask, rows: pa.Table, largest: float | None) -> NDArray[np.float64]:  # noqa: ARG002
        """Return the squared error as a share of `largest`, at most 1.

        If `largest` is 0, the loss of any error is 1.
        """
        errors = _squared_errors(rows)
        if largest is None:
            return np.full(len(errors), np.nan)
        if not largest:
            return np.where(np.isnan(errors), np.nan, np.sign(errors))
        return np.minimum(errors, largest) / largest

    def uncovered(self, fitted: FittedTask, rows: pa.Table) -> NDArray[np.float64] | None:
        if fitted.interval is None:
            return None
        low, high, outcomes = (rows.column(name).to_numpy().astype(np.float64) for name in ("low", "high", "outcome"))
        outside = ((outcomes < low) | (outcomes > high)).astype(np.float64)
        return np.where(np.isfinite(low) & np.isfinite(high) & np.isfinite(_squared_errors(rows)), outside, np.nan)

    def bias(self, fitted: FittedTask, rows: pa.Table, largest: float | None) -> NDArray[np.float64]:
        """Return the error divided by the error whose loss is 1, limited to -1 and 1.

        If that error is 0, return the sign.
        """
        outcomes, values = (rows.column(name).to_numpy().astype(np.float64) for name in ("outcome", "number"))
        return np.asarray(np.sign(outcomes - values) * np.sqrt(self.losses(fitted, rows, largest)), np.float64)

    def row_figures(self, fitted: FittedTask, rows: pa.Table) -> dict[str, NDArray[np.float64]]:  # noqa: ARG002
        squares = _squared_errors(rows)
        return {"mae": np.sqrt(squares), "squared_error": squares}

    def expected(self, figures: BinnedFigures, counts: NDArray[np.int64]) -> dict[str, Figure]:
        """Return mean absolute and root mean squared error, by the errors of similar predictions on the holdout.

        The method is the direct loss estimation of NannyML 0.6, with only the prediction in place of all features.
        """
        square = figures.mean("squared_error", counts)
        root = sqrt(square.value)
        error = (square.error or 0.0) / (2 * root) if root else None
        return {"mae": figures.mean("mae", counts), "rmse": Figure(root, error)}


def _squared_errors(rows: pa.Table) -> NDArray[np.float64]:
    """Return the squared errors. NaN if the prediction or the outcome is not a finite number."""
    values, outcomes = numbers(rows)
    values[~(np.isfinite(values) & np.isfinite(outcomes))] = np.nan
    return (outcomes - values) ** 2


def least_rows(coverage: float) -> int:
    """Return the number of residuals that a split conformal interval of this coverage needs to be finite.

    This is the lowest n with `ceil((n + 1) * coverage) <= n`, the rank of the half width.
    """
    rows = floor(coverage / (1 - coverage))
    return rows if ceil((rows + 1) * coverage) <= rows else rows + 1


def half_width(residuals: NDArray[np.float64], coverage: float) -> float:
    """Return the half width of the split conformal interval, a float32.

    It is the smallest absolute residual of the holdout that at least `ceil((n + 1) * coverage)` of the n residuals do
    not exceed. The outcome of an exchangeable row then lies in the interval with at least the probability `coverage`
    (Vovk, Gammerman and Shafer, "Algorithmic Learning in a Random World", 2005; Lei et al., JASA 2018, theorem 2.2).
    With fewer residuals than `least_rows` this interval would be infinite. The function then returns the largest
    residual, which covers n / (n + 1) at least.
    """
    absolute = np.sort(np.abs(residuals))
    rank = min(ceil((len(absolute) + 1) * coverage), len(absolute))
    width = float(absolute[rank - 1]) if len(absolute) else 0.0
    rounded = np.float32(width)
    return float(rounded if float(rounded) >= width else np.nextafter(rounded, np.float32(np.inf)))


def scale_of(residuals: NDArray[np.float64], targets: NDArray[np.float32]) -> ResidualScale:
    """Return units that are powers of two, about a thousandth of the mean absolute residual and mean absolute label."""
    labels = targets.astype(np.float64)
    center = float(np.median(labels)) if len(labels) else 0.0
    spread = float(np.abs(labels - center).mean()) if len(labels) else 0.0
    error = float(np.abs(residuals).mean()) if len(residuals) else 0.0
    return ResidualScale(residual=_unit(error or spread), label=_unit(spread or error), center=center)


def _unit(size: float) -> float:
    return 2.0 ** (floor(log2(size)) - 10) if size > 0 and isfinite(size) else 2.0**-10


_LARGEST = 2**31 - 1
_HALF = 31  # bits, so that a square has at most 62
# The bins of the absolute residual: one for 0, then 16 in each octave, so an edge is 4.4% above the previous edge.
_PER_OCTAVE = 16
_BINS = 31 * _PER_OCTAVE + 1
_ROWS, _SUM, _ABSOLUTE, _HIGH, _LOW, _LABEL, _LABEL_HIGH, _LABEL_LOW, _INTERVALS, _COVERED = range(10)
_HEAD = 10


@dataclass(frozen=True)
class ResidualSketch:
    """Moments of residuals and labels, quantiles of the absolute residual, and the count of covered outcomes.

    Residuals and labels are counted in the units of `scale`, rounded to whole numbers. A square is stored as two
    numbers of 31 bits. The counts of 2^31 rows therefore fit int64, and sums and differences are exact. The quantiles
    are those of DDSketch (Masson, Rim and Lee, VLDB 2019), with bins that grow by a constant factor. They are optional.
    """

    scale: ResidualScale
    quantiles: bool = True

    @property
    def size(self) -> int:
        return _HEAD + (_BINS if self.quantiles else 0)

    def count(self, rows: pa.Table) -> NDArray[np.int64]:
        values, outcomes, low, high = (
            rows.column(name).to_numpy().astype(np.float64) for name in ("number", "outcome", "low", "high")
        )
        finite = np.isfinite(values) & np.isfinite(outcomes)
        values, outcomes, low, high = values[finite], outcomes[finite], low[finite], high[finite]
        residuals = _whole((outcomes - values) / self.scale.residual)
        labels = _whole((outcomes - self.scale.center) / self.scale.label)
        counts = np.zeros(self.size, np.int64)
        counts[_ROWS], counts[_SUM], counts[_ABSOLUTE] = len(residuals), residuals.sum(), np.abs(residuals).sum()
        counts[_HIGH], counts[_LOW] = _squares(residuals)
        counts[_LABEL] = labels.sum()
        counts[_LABEL_HIGH], counts[_LABEL_LOW] = _squares(labels)
        with_interval = np.isfinite(low) & np.isfinite(high)
        counts[_INTERVALS] = with_interval.sum()
        counts[_COVERED] = (with_interval & (low <= outcomes) & (outcomes <= high)).sum()
        if self.quantiles:
            counts[_HEAD:] = np.bincount(_bins(np.abs(residuals)), minlength=_BINS)
        return counts

    def labelled(self, counts: NDArray[np.int64]) -> int:
        return int(counts[_ROWS])

    def figures(self, counts: NDArray[np.int64]) -> dict[str, Figure]:
        rows = int(counts[_ROWS])
        if not rows:
            return {}
        unit = self.scale.residual
        squares = (int(counts[_HIGH]) << _HALF) + int(counts[_LOW])
        absolute, square = int(counts[_ABSOLUTE]) / rows, squares / rows
        figures = {
            "mae": Figure(absolute * unit, sqrt(max(0.0, square - absolute * absolute) / rows) * unit),
            "rmse": Figure(sqrt(square) * unit),
            "mean_error": Figure(int(counts[_SUM]) / rows * unit, sqrt(square / rows) * unit),
        }
        if self.quantiles:
            figures["median_absolute_error"] = Figure(self._quantile(counts, rows, 0.5))
        label = int(counts[_LABEL]) / rows
        spread = ((int(counts[_LABEL_HIGH]) << _HALF) + int(counts[_LABEL_LOW])) / rows - label * label
        if spread > 0:
            figures["r2"] = Figure(1 - square * unit**2 / (spread * self.scale.label**2))
        if intervals := int(counts[_INTERVALS]):
            share = int(counts[_COVERED]) / intervals
            figures["interval_coverage"] = Figure(share, sqrt(share * (1 - share) / intervals))
        return figures

    def _quantile(self, counts: NDArray[np.int64], rows: int, share: float) -> float:
        """Return the middle of the bin that contains a quantile of the absolute residual."""
        place = int(np.searchsorted(np.cumsum(counts[_HEAD:]), share * rows))
        return 0.0 if place == 0 else 2.0 ** ((place - 0.5) / _PER_OCTAVE) * self.scale.residual


def _whole(values: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.rint(np.clip(values, -_LARGEST, _LARGEST)).astype(np.int64)


def _squares(values: NDArray[np.int64]) -> tuple[int, int]:
    squares = values * values
    return int((squares >> _HALF).sum()), int((squares & ((1 << _HALF) - 1)).sum())


def _bins(absolute: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the bin of each absolute residual in units: 0 is bin 0, and [2^(i/16), 2^((i+1)/16)) is bin i + 1."""
    logarithm = np.log2(np.maximum(absolute, 1).astype(np.float64))
    return np.where(absolute == 0, 0, np.minimum(np.floor(logarithm * _PER_OCTAVE).astype(np.int64) + 1, _BINS - 1))


REGRESSION = Regression()
