"""Compares the outputs of the ONNX graph with those of the model that it was built from.

The comparison uses the latest rows of the training set, of which half are from before the holdout, rows of edge values
(missing, infinite, the limits of float32, an unseen category), and random rows whose values are drawn column by column.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from rondo.contracts.tasks.registry import task_named
from rondo.contracts.training_evidence import Parity
from rondo.trainer.errors import TrainingImpossibleError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from rondo.contracts.spec.model import Feature
    from rondo.contracts.tasks.base import FittedTask, Output, TargetKind

# Sums of a hundred float32 leaves differ from sums of doubles by about 1e-7. A wrong branch differs by far more.
BOUND = 1e-5
# The numbers of latest rows, of the latest rows before them and before the holdout, and of random rows that are
# compared. Each row passes through all trees of both models. A fault that shows in one of a thousand rows is found in
# 5,000 rows with a probability of 99.3 %.
LATEST_ROWS, EARLIER_ROWS, RANDOM_ROWS = 2_500, 2_500, 1_000
_LARGEST, _SMALLEST = float(np.finfo(np.float32).max), float(np.finfo(np.float32).smallest_subnormal)
_LEAST_NORMAL = float(np.finfo(np.float32).smallest_normal)
_NUMBERS = (None, float("inf"), -float("inf"), _LARGEST, -_LARGEST, _SMALLEST, 0.0, -0.0, 1.0, -1.0)
_TEXTS = (None, "", "a category that no row of the training has", "\U0001f30d", "x" * 1_000)
_SHOWN = 600  # characters of a row in a message


class ParityError(TrainingImpossibleError):
    """The graph and the model have different predictions for the row `row`."""

    code = "parity"

    def __init__(self, difference: float, row: Mapping[str, Any]) -> None:
        self.difference, self.row = difference, row
        super().__init__(
            f"the outputs of the ONNX graph differ from the model's by {difference:.2g}, and at most {BOUND:g} is"
            " allowed, so the candidate is dropped: this is a bug in Rondo, or in a converter that it uses; report it"
            f" with the spec and this row: {shown(row)}"
        )


def shown(row: Mapping[str, Any]) -> str:
    """Return a row as JSON, cut to a length that fits a message."""
    return json.dumps(row, ensure_ascii=False, default=str)[:_SHOWN]


def compared_rows(features: Mapping[str, Feature], rows: pl.DataFrame, seed: int, held_out: int = 0) -> pl.DataFrame:
    """Return the rows on which graph and model are compared, with only the columns of the features.

    The latest rows come first, and then rows from before the holdout, the last `held_out` rows.
    """
    drawn = _drawn(features, rows, seed)
    return pl.concat([_latest(features, rows, held_out), drawn, _edge_rows(features, drawn)])


def ordinary_rows(features: Mapping[str, Feature], rows: pl.DataFrame, seed: int) -> pl.DataFrame:
    """Return the latest rows, and rows whose values are drawn column by column."""
    return pl.concat([_latest(features, rows), _drawn(features, rows, seed)])


def edge_rows(features: Mapping[str, Feature], rows: pl.DataFrame, seed: int) -> pl.DataFrame:
    """Return rows in which one feature, or every feature, has edge values."""
    return _edge_rows(features, _drawn(features, rows, seed))


def without_values(features: Mapping[str, Feature], rows: pl.DataFrame, seed: int) -> pl.DataFrame:
    """Return one row for each feature in which this feature is missing. The other features have random values."""
    drawn = _drawn(features, rows, seed).head(1)
    return pl.concat([drawn.with_columns(pl.lit(None, drawn.schema[name]).alias(name)) for name in features])


def _latest(features: Mapping[str, Feature], rows: pl.DataFrame, held_out: int = 0) -> pl.DataFrame:
    before = max(rows.height - max(held_out, LATEST_ROWS), 0)
    chosen = [
        rows.select(list(features)).tail(LATEST_ROWS),
        rows.select(list(features)).head(before).tail(EARLIER_ROWS),
    ]
    return pl.concat([pl.DataFrame([_plain(part[name]) for name in features]) for part in chosen])


def _drawn(features: Mapping[str, Feature], rows: pl.DataFrame, seed: int) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    return pl.DataFrame([_plain(rows[name].gather(rng.integers(0, rows.height, RANDOM_ROWS))) for name in features])


def _plain(values: pl.Series) -> pl.Series:
    """Convert an enumeration to texts, because an enumeration can't hold unseen texts."""
    return values.cast(pl.String) if isinstance(values.dtype, pl.Enum) else values


def _edge_rows(features: Mapping[str, Feature], drawn: pl.DataFrame) -> pl.DataFrame:
    edges = [_edges(features[name], name, drawn) for name in features]
    return pl.concat([*edges, _all_edges(features, drawn.schema)])


def _edges(feature: Feature, name: str, drawn: pl.DataFrame) -> pl.DataFrame:
    """Return random rows in which one feature has edge values."""
    values = _edge_values(feature)
    return drawn.head(len(values)).with_columns(pl.Series(name, values, drawn.schema[name], strict=False))


def _all_edges(features: Mapping[str, Feature], schema: pl.Schema) -> pl.DataFrame:
    """Return rows in which every feature has an edge value. In the first row every feature is missing."""
    count = max(len(_edge_values(feature)) for feature in features.values())
    columns = {}
    for name, feature in features.items():
        values = _edge_values(feature)
        columns[name] = pl.Series(name, [values[row % len(values)] for row in range(count)], schema[name], strict=False)
    return pl.DataFrame(columns)


def _edge_values(feature: Feature) -> tuple[Any, ...]:
    return _TEXTS if feature.type == "category" else _NUMBERS


def compare(
    fitted: FittedTask,
    raw: Callable[[NDArray[np.intp]], NDArray[np.float64]],
    model: Mapping[str, NDArray[Any]],
    graph: Mapping[str, NDArray[Any]],
    rows: pl.DataFrame,
    *,
    native: bool,
) -> Parity:
    """Compare all outputs of the task for the same rows.

    A label may differ in a row whose raw prediction is within the bound of another label, as at a threshold. `raw`
    returns the model's raw predictions of rows by their indices. `native` is True if the outputs of the model are those
    of the library that fitted it.

    Raises:
        ParityError: probabilities differ by more than `BOUND`, values by more than that share of the model's value, or
            of the usual size of values where that is larger, or a label differs.

    """
    task = task_named(fitted.task)
    outputs = task.outputs(fitted)
    if not outputs:
        msg = f"the task {task.name!r} has no outputs, so there is nothing to compare: return them from its `outputs`"
        raise ValueError(msg)
    worst = np.zeros(rows.height)
    for output in outputs:
        ours, theirs = model[output.name], graph[output.name]
        if output.kind == "label":
            found = _label_differences(fitted, output, raw, ours, theirs)
        else:
            found = _differences(ours, theirs, _unit_of(output, ours))
        worst = np.maximum(worst, found.reshape(rows.height, -1).max(axis=1, initial=0.0))
    return _parity(worst, rows, native=native)


def compare_raw(
    target: TargetKind, model: NDArray[np.float64], graph: NDArray[np.float64], rows: pl.DataFrame
) -> Parity:
    """Compare raw predictions of a native model, shape `[rows, width]`, with those of a graph.

    Raises:
        ParityError: as by `compare`.

    """
    found = _differences(model, graph, _raw_unit(target, model))
    return _parity(found.reshape(rows.height, -1).max(axis=1, initial=0.0), rows, native=True)


def _parity(differences: NDArray[np.float64], rows: pl.DataFrame, *, native: bool) -> Parity:
    at = int(differences.argmax()) if len(differences) else 0
    difference = float(differences[at]) if len(differences) else 0.0
    if difference > BOUND:
        raise ParityError(difference, rows.row(at, named=True))
    return Parity(rows=rows.height, max_difference=difference, native=native)


def beside_native(graph: Parity, native: Parity) -> Parity:
    """Return a comparison with a native model, and the larger difference of it and of the nodes around a graph."""
    return native.model_copy(update={"max_difference": max(graph.max_difference, native.max_difference)})


def _unit_of(output: Output, values: NDArray[Any]) -> float:
    is_chance = output.kind == "probabilities" or output.of_label is not None
    return 1.0 if is_chance else _usual_size(values)


def _raw_unit(target: TargetKind, raw: NDArray[Any]) -> float:
    return _usual_size(raw) if target == "number" else 1.0


def _label_differences(
    fitted: FittedTask,
    output: Output,
    raw: Callable[[NDArray[np.intp]], NDArray[np.float64]],
    model: NDArray[Any],
    graph: NDArray[Any],
) -> NDArray[np.float64]:
    """Return infinity for rows with different labels, and 0 for rows with equal ones.

    Rows also count as equal if a change of the raw prediction by the bound gives the graph's label, or if the raw
    prediction is not finite: serving answers such a row with an error.
    """
    found, differing = np.zeros(len(model)), np.flatnonzero(model.reshape(-1) != graph.reshape(-1))
    if not len(differing):
        return found
    task, ours = task_named(fitted.task), raw(differing)
    excused = ~np.isfinite(ours).all(axis=1)
    change = BOUND * np.maximum(_raw_unit(task.target, ours), np.abs(ours))
    for column in range(ours.shape[1]):
        direction = np.where(np.arange(ours.shape[1]) == column, 1.0, -1.0)
        for changed in (ours + direction * change, ours - direction * change):
            excused |= task.predictions(fitted, changed)[output.name] == graph.reshape(-1)[differing]
    found[differing[~excused]] = np.inf
    return found


def _usual_size(values: NDArray[Any]) -> float:
    """Return the median size of values that are finite and not 0. 1 if there are none.

    Large leaves may add up to a small value, whose error is that of the leaves. Numbers below the smallest normal
    float32 have fewer digits.
    """
    sizes = np.abs(values[np.isfinite(values) & (values != 0)])
    return max(float(np.median(sizes)), _LEAST_NORMAL) if len(sizes) else 1.0


def _differences(model: NDArray[Any], graph: NDArray[Any], unit: float) -> NDArray[np.float64]:
    ours, theirs = model.astype(np.float64), graph.astype(np.float64)
    same = (ours == theirs) | (np.isnan(ours) & np.isnan(theirs))
    with np.errstate(invalid="ignore"):
        found = np.abs(ours - theirs) / np.maximum(unit, np.abs(ours))
    # If one of them is NaN or infinite and the other is not, the difference is infinite.
    return np.where(same, 0.0, np.where(np.isfinite(found), found, np.inf))
