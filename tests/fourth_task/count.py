"""A task that no package knows: the count of events, a whole number that is not negative.

It has labels, outputs, a metric, a head and a sketch of its own. It is what a file of `rondo.contracts.tasks` would be.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from rondo.contracts.tasks.base import FittedTask, Output, Storage, TargetKind
from rondo.contracts.tasks.label_values import number
from rondo.contracts.tasks.metrics import MAE, Metric, by_name
from rondo.contracts.tasks.sketches import Figure, numbers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa
    from numpy.typing import NDArray
    from rondo.contracts.tasks.base import Labels, Node
    from rondo.contracts.tasks.binned_figures import BinnedFigures

LEAST = 2.0**-10
_UNITS = 1_024
_MOST = 2**24


def deviances(counts: NDArray[Any], expected: NDArray[Any]) -> NDArray[np.float64]:
    """Return the deviance of each row (McCullagh and Nelder, "Generalized Linear Models", 1989, section 6.2.2)."""
    y, mean = counts.astype(np.float64), expected.astype(np.float64)
    return np.asarray(2 * (np.where(y > 0, y * np.log(np.maximum(y, 1) / mean), 0.0) - (y - mean)))


def poisson_deviance(
    targets: NDArray[np.float32], outputs: Mapping[str, NDArray[Any]], weights: NDArray[np.float64] | None
) -> float | None:
    return float(np.average(deviances(targets, outputs["expected"]), weights=weights))


POISSON_DEVIANCE = Metric(
    "poisson_deviance",
    "Poisson deviance",
    "The mean deviance of counts from what was expected.",
    higher_is_better=False,
    formula=poisson_deviance,
)


@dataclass(frozen=True)
class CountLabels:
    storage: ClassVar[Storage] = "number"
    expected: ClassVar[str] = "a whole number of 0 or more"

    def parse(self, value: object) -> float | None:
        found = number(value) if isinstance(value, str) else value
        if isinstance(found, bool) or not isinstance(found, int | float):
            return None
        return float(found) if 0 <= found <= _MOST and float(found).is_integer() else None

    def includes(self, stored: NDArray[np.float64]) -> NDArray[np.bool_]:
        return (stored >= 0) & (stored <= _MOST) & (stored == np.floor(stored))


class Count:
    """`base.Task`. A label is stored as float64. The raw prediction is the expected count, before its bound."""

    name: ClassVar[str] = "count"
    description: ClassVar[str] = "how often something happens"
    target: ClassVar[TargetKind] = "number"
    metrics: ClassVar[Mapping[str, Metric]] = by_name(POISSON_DEVIANCE, MAE)
    primary: ClassVar[str] = POISSON_DEVIANCE.name
    rates: ClassVar[tuple[str, ...]] = ()
    counted: ClassVar[Mapping[str, str]] = {"number": "expected"}
    options: ClassVar[frozenset[str]] = frozenset()
    names_labels: ClassVar[bool] = False
    open_classes: ClassVar[bool] = False
    answer: ClassVar[str] = "expected"

    def labels(self, positive: str | None, negative: str | None) -> CountLabels:  # noqa: ARG002
        return CountLabels()

    def classes(self, labels: Sequence[float] | Sequence[str], known: Labels) -> tuple[str, ...]:  # noqa: ARG002
        return ()

    def targets(
        self,
        labels: Sequence[float] | Sequence[str] | NDArray[np.float64],
        classes: tuple[str, ...],  # noqa: ARG002
    ) -> NDArray[np.float32]:
        return np.asarray(labels, np.float32)

    def fitted(
        self,
        classes: tuple[str, ...],
        options: Mapping[str, Any],  # noqa: ARG002
        raw: NDArray[np.float64],  # noqa: ARG002
        targets: NDArray[np.float32],  # noqa: ARG002
    ) -> FittedTask:
        return FittedTask(task=self.name, labels=classes)

    def outputs(self, fitted: FittedTask) -> tuple[Output, ...]:  # noqa: ARG002
        return Output("expected", "number"), Output("none", "number", watched=False)

    def predictions(self, fitted: FittedTask, raw: NDArray[np.float64]) -> dict[str, NDArray[Any]]:  # noqa: ARG002
        expected = np.maximum(raw[:, 0].astype(np.float32), np.float32(LEAST))
        return {"expected": expected, "none": np.exp(-expected)}

    def head(self, fitted: FittedTask, raw: str, node: Node) -> list[Any]:  # noqa: ARG002
        return [
            node("Constant", [], ["head.least"], name="head.least", value_float=LEAST),
            node("Max", [raw, "head.least"], ["output.expected"], name="output.expected"),
            node("Neg", ["output.expected"], ["head.negative"], name="head.negative"),
            node("Exp", ["head.negative"], ["output.none"], name="output.none"),
        ]

    def sketch(self, fitted: FittedTask) -> CountSketch:  # noqa: ARG002
        return CountSketch()

    def group_sketch(self, fitted: FittedTask) -> CountSketch:  # noqa: ARG002
        return CountSketch()

    def largest_loss(self, fitted: FittedTask, rows: pa.Table) -> float | None:  # noqa: ARG002
        return 10.0

    def losses(self, fitted: FittedTask, rows: pa.Table, largest: float | None) -> NDArray[np.float64]:  # noqa: ARG002
        expected, counts = numbers(rows)
        return np.minimum(deviances(counts, expected) / (largest or 1.0), 1.0)

    def bias(self, fitted: FittedTask, rows: pa.Table, largest: float | None) -> None:  # noqa: ARG002
        return None

    def uncovered(self, fitted: FittedTask, rows: pa.Table) -> None:  # noqa: ARG002
        return None

    def row_figures(self, fitted: FittedTask, rows: pa.Table) -> dict[str, NDArray[np.float64]]:  # noqa: ARG002
        expected, counts = numbers(rows)
        return {"poisson_deviance": deviances(counts, expected), "mae": np.abs(counts - expected)}

    def expected(self, figures: BinnedFigures, counts: NDArray[np.int64]) -> dict[str, Figure]:
        return {name: figures.mean(name, counts) for name in ("poisson_deviance", "mae")}


@dataclass(frozen=True)
class CountSketch:
    """The number of rows, and the sums of their deviances and absolute errors in units of 1/1024."""

    size: ClassVar[int] = 3

    def count(self, rows: pa.Table) -> NDArray[np.int64]:
        expected, counts = numbers(rows)
        known = np.isfinite(expected) & np.isfinite(counts)
        expected, counts = expected[known], counts[known]
        sums = (deviances(counts, expected), np.abs(counts - expected))
        return np.array([len(counts), *(int(np.rint(each * _UNITS).sum()) for each in sums)], np.int64)

    def labelled(self, counts: NDArray[np.int64]) -> int:
        return int(counts[0])

    def figures(self, counts: NDArray[np.int64]) -> dict[str, Figure]:
        if not counts[0]:
            return {}
        deviance, error = (int(each) / int(counts[0]) / _UNITS for each in counts[1:])
        return {"poisson_deviance": Figure(deviance), "mae": Figure(error)}


COUNT = Count()
