"""A model of each task with two features, x and city: the rows that it answers, their outcomes, and its profile.

The outputs follow x, and so do the outcomes. `skill` is the strength of that link, from 1 to 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from rondo.chassis.profiles.binning import Binning
from rondo.chassis.profiles.components import components
from rondo.contracts.events.logs import OUTPUT
from rondo.contracts.tasks.base import FittedTask, Interval
from rondo.contracts.tasks.registry import task_named
from rondo.contracts.tasks.regression import scale_of
from rondo.contracts.tasks.sketches import OBSERVED, PREDICTED
from rondo.contracts.training_evidence import (
    CategoricalProfile,
    ColumnBlocks,
    LossReference,
    NumericProfile,
    PerformanceFigure,
    ReferenceBlocks,
    ReferenceProfile,
    SliceReference,
    UnknownProfile,
)
from rondo.monitor.evidence.reference import Reference
from rondo.trainer.evaluation.calibration import calibration_of
from rondo.trainer.evaluation.reference_blocks import of_slice_losses
from rondo.trainer.evaluation.reference_profile import numeric

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from rondo.contracts.tasks.sketches import Figure
    from rondo.contracts.training_evidence import FeatureProfile

Data = dict[str, np.ndarray]
FEATURES, CITIES, CLASSES = ("x", "city"), ("a", "b", "c"), ("ash", "elm", "oak")
# A thousand rows a day.
REFERENCE_ROWS, REFERENCE_SECONDS = 50_000, 50 * 86_400
STRETCHES = 512
# The mean absolute residual of the regression, and the half width that covers 90% of the residuals.
NOISE, HALF_WIDTH = 2.0, 2.0 * float(np.log(10))


def features(rng: np.random.Generator, count: int, shift: float = 0.0) -> Data:
    x = (rng.normal(size=count) + shift).astype(np.float32)
    return {"x": x, "city": rng.choice(CITIES, count, p=(0.6, 0.3, 0.1))}


def binary_rows(rng: np.random.Generator, count: int, shift: float = 0.0) -> Data:
    """Return rows whose scores do not follow the shift."""
    data = features(rng, count, shift)
    return {**data, "score": (1 / (1 + np.exp(shift - data["x"]))).astype(np.float32)}


def binary_outcomes(rng: np.random.Generator, data: Data, skill: float = 1.0) -> np.ndarray:
    score = data["score"]
    return (rng.random(score.size) < skill * score + (1 - skill) * score.mean()).astype(np.float64)


def multiclass_rows(rng: np.random.Generator, count: int, shift: float = 0.0) -> Data:
    data = features(rng, count, shift)
    weights = np.exp(np.outer(data["x"], (-1.5, 0.0, 1.5)))
    probabilities = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    label = np.array(CLASSES)[probabilities.argmax(axis=1)]
    return {**data, "label": label, "score": probabilities.max(axis=1), "probabilities": probabilities}


def multiclass_outcomes(rng: np.random.Generator, data: Data, skill: float = 1.0) -> np.ndarray:
    cumulated = data["probabilities"].cumsum(axis=1)
    drawn = (rng.random(len(cumulated))[:, None] * cumulated[:, -1:] > cumulated).sum(axis=1)
    anything = rng.integers(0, len(CLASSES), len(cumulated))
    return np.array(CLASSES)[np.where(rng.random(len(cumulated)) < skill, drawn, anything)]


def regression_rows(rng: np.random.Generator, count: int, shift: float = 0.0) -> Data:
    data = features(rng, count, shift)
    value = (20 + 5 * data["x"]).astype(np.float32)
    return {**data, "value": value, "low": value - np.float32(HALF_WIDTH), "high": value + np.float32(HALF_WIDTH)}


def regression_outcomes(rng: np.random.Generator, data: Data, skill: float = 1.0) -> np.ndarray:
    return data["value"].astype(np.float64) + rng.laplace(0, NOISE, data["value"].size) / skill


@dataclass(frozen=True)
class Stream:
    """A stream of rows of a task. `outcomes` are float64, or the texts of classes."""

    task: str
    rows: Callable[..., Data]
    outcomes: Callable[..., np.ndarray]

    @cached_property
    def profile(self) -> ReferenceProfile:
        return self.profile_of(REFERENCE_ROWS, REFERENCE_SECONDS)

    def profile_of(
        self, count: int, seconds: float, seed: int = 99, *, slices: bool = False, bias: bool = False
    ) -> ReferenceProfile:
        """Return the profile of `count` rows within `seconds` seconds, which are also the holdout.

        With `slices`, slices by city have a reference of their losses. With `bias`, the bias of outcomes is watched.
        """
        rng = np.random.default_rng(seed)
        data = self.rows(rng, count)
        outcomes = self.outcomes(rng, data)
        task = _fitted(self.task, data, outcomes)
        sketch = task_named(self.task).sketch(task)
        found = sketch.figures(sketch.count(counted(data, outcomes)))
        shown = {"binary": ("score",), "multiclass": ("label", "score"), "regression": ("value",)}[self.task]
        profile = ReferenceProfile(
            rows=count,
            seconds=seconds,
            features={name: _profiled(data[name]) for name in FEATURES},
            outputs={name: _profiled(data[name]) for name in shown},
            task=task,
            performance=_figures(found),
            slices=tuple(_slices(task, data, outcomes)),
        )
        profile = with_blocks(profile, data, counted(data, outcomes), bias=bias)
        return _with_losses_of_slices(profile, data, counted(data, outcomes)) if slices else profile

    @cached_property
    def reference(self) -> Reference:
        return Reference.of(self.profile)


def _figures(found: Mapping[str, Figure]) -> dict[str, PerformanceFigure]:
    return {name: PerformanceFigure(value=each.value, error=each.error) for name, each in found.items()}


def _slices(task: FittedTask, data: Data, outcomes: np.ndarray) -> Iterator[SliceReference]:
    """Yield the slices by city, as if the spec named it."""
    sketch = task_named(task.task).group_sketch(task)
    for city in CITIES:
        mine = counted(data, outcomes).filter(pa.array(data["city"] == city))
        figures = _figures(sketch.figures(sketch.count(mine)))
        yield SliceReference(column="city", value=city, rows=mine.num_rows, performance=figures)


def _with_losses_of_slices(profile: ReferenceProfile, data: Data, labelled: pa.Table) -> ReferenceProfile:
    assert profile.loss is not None
    losses = task_named(profile.task.task).losses(profile.task, labelled, profile.loss.largest)
    slices = [
        each.model_copy(update={"loss": of_slice_losses(losses[data["city"] == each.value])}) for each in profile.slices
    ]
    return profile.model_copy(update={"slices": tuple(slices)})


def counted(data: Data, outcomes: np.ndarray) -> pa.Table:
    """Return predictions and outcomes in the form that a sketch counts."""
    number = data["value"] if "value" in data else data["score"]
    observed = "outcome_label" if outcomes.dtype.kind == "U" else "outcome"
    columns: dict[str, Any] = {**data, "number": number, observed: outcomes}
    schema = pa.schema([*PREDICTED, *OBSERVED])
    rows = {f.name: columns[f.name].tolist() if f.name in columns else [None] * number.size for f in schema}
    return pa.table(rows, schema=schema)


def with_blocks(profile: ReferenceProfile, data: Data, labelled: pa.Table, *, bias: bool = False) -> ReferenceProfile:
    """Return the profile of these rows with their blocks. The rows are independent."""
    binning = Binning.of(profile)
    table = pa.table({column.column: data[column.name.removeprefix(OUTPUT)].tolist() for column in binning.columns})
    stretch = -(-table.num_rows // STRETCHES)
    rest = table.slice(table.num_rows % stretch)
    counts = binning.count_groups(rest, np.arange(rest.num_rows) // stretch, rest.num_rows // stretch)
    found: dict[str, ColumnBlocks] = {}
    for column, part in zip(binning.columns, [*profile.features.values(), *profile.outputs.values()], strict=True):
        assert not isinstance(part, UnknownProfile)
        watched = components(part)
        means = watched.means(counts[:, column.offset : column.offset + column.size]).T
        named = {name: tuple(each.tolist()) for name, each in zip(watched.names, means, strict=True)}
        found[column.name] = ColumnBlocks(autocorrelation_rows=1.0, means=named)
    task = task_named(profile.task.task)
    largest = task.largest_loss(profile.task, labelled)
    losses = task.losses(profile.task, labelled, largest)[table.num_rows % stretch :].reshape(-1, stretch).mean(axis=1)
    outputs = {name: found[f"{OUTPUT}{name}"] for name in profile.outputs}
    beside = {
        "uncovered": task.uncovered(profile.task, labelled),
        "bias": task.bias(profile.task, labelled, largest) if bias else None,
    }
    loss = LossReference(
        rows=stretch,
        autocorrelation_rows=1.0,
        means=tuple(losses.tolist()),
        largest=largest,
        **{
            name: tuple(values[table.num_rows % stretch :].reshape(-1, stretch).mean(axis=1).tolist())
            for name, values in beside.items()
            if values is not None
        },
    )
    return profile.model_copy(
        update={
            "feature_blocks": ReferenceBlocks(rows=stretch, columns={name: found[name] for name in profile.features}),
            "output_blocks": ReferenceBlocks(rows=stretch, columns=outputs),
            "loss": loss,
            "calibration": calibration_of(profile.task, labelled, profile.outputs, loss),
        }
    )


def _fitted(task: str, data: Data, outcomes: np.ndarray) -> FittedTask:
    if task == "binary":
        return FittedTask(task=task, labels=("0", "1"), numbers=True, threshold=0.5)
    if task == "multiclass":
        return FittedTask(task=task, labels=CLASSES)
    interval = Interval(coverage=0.9, half_width=HALF_WIDTH)
    return FittedTask(task=task, interval=interval, scale=scale_of(outcomes - data["value"], outcomes))


def _profiled(values: np.ndarray) -> FeatureProfile:
    if values.dtype.kind == "U":
        return CategoricalProfile(counts={str(text): int((values == text).sum()) for text in np.unique(values)})
    edges = np.quantile(values, np.linspace(0.1, 0.9, 9)).astype(np.float32)
    if np.unique(edges).size < edges.size:
        return numeric(values)
    # Ten bins of the same size, which tests of statistics count on. The trainer makes more.
    counts = np.bincount(np.searchsorted(edges, values, side="right"), minlength=10)
    return NumericProfile(edges=tuple(map(float, edges)), counts=tuple(map(int, counts)))


BINARY = Stream("binary", binary_rows, binary_outcomes)
MULTICLASS = Stream("multiclass", multiclass_rows, multiclass_outcomes)
REGRESSION = Stream("regression", regression_rows, regression_outcomes)
STREAMS = (BINARY, MULTICLASS, REGRESSION)
