"""Compares an estimator with its converted ONNX model, on given or random rows and on edge rows."""

from __future__ import annotations

import sys
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rondo.client.registration.errors import (
    ConversionDiffersError,
    ConversionUnavailableError,
    NoRowsToCompareError,
    NotConvertibleError,
    RowsNeededError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from rondo.client.registration.conversion import Converted

RANDOM_ROWS = 1_000
# Differences between sums of float32 and of doubles are below this. Another branch of a tree gives a far larger
# difference.
TOLERANCE = 1e-4
_SIZES = (1.0, 10.0, 100.0, 1_000.0)
# Infinity is not an edge value, because requests can't have it.
_NUMBERS = (0.0, -0.0, 1.0, -1.0, float(np.finfo(np.float32).tiny))
_TEXTS = ("a category that no row of the training has", "\U0001f30d")
_MISSING: dict[bool, Any] = {True: "", False: float("nan")}
# In these rows each value of an optional feature is missing with this probability.
_ROWS_WITH_GAPS, _GAPS = 100, 0.1


@dataclass(frozen=True)
class Comparison:
    """The largest difference on a number of rows. `left_out` counts the edge rows that the estimator itself refuses."""

    rows: int
    left_out: int
    max_difference: float


def compare(
    estimator: Any, converted: Converted, spec: Mapping[str, Any], rows: Any = None, tolerance: float = TOLERANCE
) -> Comparison:
    """Return the largest difference between the predictions of an estimator and of its ONNX model.

    `rows` are inputs of the estimator, a DataFrame or an array. None makes random rows. Rows with edge values that a
    request may have are compared, too: missing values of optional features, unknown categories, 0, the lowest number,
    and the limits of the spec. The difference of probabilities is absolute. The difference of values is divided by the
    estimator's value, or by 1 if that is larger.

    Raises:
        ConversionDiffersError: the difference is larger than `tolerance`.
        NotConvertibleError: the estimator has several predictions for a row, or the graph has another number of them.
        NoRowsToCompareError: `rows` is empty.
        RowsNeededError: random rows can't be made.
        ConversionUnavailableError: onnxruntime is not installed.

    """
    if rows is not None and len(rows) == 0:
        raise NoRowsToCompareError
    columns = _random(converted, spec) if rows is None else _columns_of(rows, converted, spec)
    native = _native(estimator, _as_fitted(rows, columns, converted))
    edges = _edge_rows(columns, spec)
    taken = _taken(lambda part: _native(estimator, _as_fitted(rows, part, converted)), edges, 0, _height(edges))
    native = np.concatenate([native, *(each for _, each in taken)])
    kept = np.concatenate([np.zeros(0, np.int64), *(np.arange(*places) for places, _ in taken)])
    columns = {name: np.concatenate([each, edges[name][kept]]) for name, each in columns.items()}
    graph = _run(converted, columns)
    if graph.shape != native.shape:
        raise NotConvertibleError(
            estimator,
            f"its converter fails (for {native.shape[0]:,} rows the graph has the shape {graph.shape}, and the"
            f" predictions {native.shape}); export it to ONNX by other means, and register the file",
        )
    with np.errstate(invalid="ignore"):
        gaps = np.abs(native - graph) / (1.0 if hasattr(estimator, "classes_") else np.maximum(1.0, np.abs(native)))
    gaps = np.where((native == graph) | (np.isnan(native) & np.isnan(graph)), 0.0, gaps)
    worst = np.where(np.isnan(gaps), np.inf, gaps).max(axis=1)
    at = int(worst.argmax())
    if worst[at] > tolerance:
        raise ConversionDiffersError(float(worst[at]), tolerance, {name: each[at] for name, each in columns.items()})
    return Comparison(len(worst), _height(edges) - len(kept), float(worst[at]))


def _height(columns: Mapping[str, NDArray[Any]]) -> int:
    return len(next(iter(columns.values())))


def _columns_of(rows: Any, converted: Converted, spec: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """Return rows by column. Numbers are float32, as those of requests."""
    table = hasattr(rows, "columns")
    matrix = None if table else np.asarray(rows)
    found = {}
    for at, name in enumerate(converted.columns):
        values = np.asarray(rows[name]) if matrix is None else matrix[:, at]
        text = spec["features"][name]["type"] == "category"
        found[name] = values.astype(object) if text else values.astype(np.float32)
    return found


def _random(converted: Converted, spec: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    rng = np.random.default_rng(0)
    return {name: _values(rng, name, spec["features"][name]) for name in converted.columns}


def _values(rng: np.random.Generator, name: str, feature: Mapping[str, Any]) -> NDArray[Any]:
    if feature["type"] == "category":
        if not feature.get("values"):
            raise RowsNeededError(f"the spec does not list the values of the category {name!r}")
        return np.asarray(rng.choice(np.array(feature["values"], dtype=object), RANDOM_ROWS))
    if feature["type"] == "bool":
        return rng.integers(0, 2, RANDOM_ROWS).astype(np.float32)
    low, high = feature.get("min"), feature.get("max")
    values = rng.normal(size=RANDOM_ROWS) * rng.choice(_SIZES, RANDOM_ROWS)
    if low is not None and high is not None:
        values = rng.uniform(low, high, RANDOM_ROWS)
    elif low is not None or high is not None:
        values = low + np.abs(values) if low is not None else high - np.abs(values)
    return np.asarray(np.round(values) if feature["type"] == "int" else values, np.float32)


def _edge_rows(columns: Mapping[str, NDArray[Any]], spec: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """Return rows in which one feature, or each, has its edge values, and rows with missing values.

    All else is as given.
    """
    edges = {name: _edge_values(spec["features"][name]) for name in columns}
    counts = [len(values) for values in edges.values()]
    rows = sum(counts) + max(counts) + _ROWS_WITH_GAPS
    found = {name: np.resize(values, rows) for name, values in columns.items()}
    start = 0
    for name, values in edges.items():
        found[name][start : start + len(values)] = values
        start += len(values)
    gaps = np.random.default_rng(1).random((_ROWS_WITH_GAPS, len(edges))) < _GAPS
    for place, (name, values) in enumerate(edges.items()):
        if values:
            found[name][start : start + max(counts)] = [values[at % len(values)] for at in range(max(counts))]
        if spec["features"][name].get("optional"):
            found[name][-_ROWS_WITH_GAPS:][gaps[:, place]] = values[0]
    return found


def _edge_values(feature: Mapping[str, Any]) -> list[Any]:
    """Return the edge values of a feature that a request may have. A missing value comes first."""
    kind, low, high = feature["type"], feature.get("min"), feature.get("max")
    found = [_MISSING[kind == "category"]] if feature.get("optional") else []
    if kind == "category":
        # Requests can't have categories that the spec does not list.
        return found if feature.get("values") else [*found, *_TEXTS]
    if kind == "bool":
        return [*found, 0.0, 1.0]
    least, most = (-np.inf if low is None else low), (np.inf if high is None else high)
    numbers = [*_NUMBERS, *(limit for limit in (low, high) if limit is not None)]
    whole = [each for each in numbers if kind != "int" or each == round(each)]
    return [*found, *(each for each in whole if least <= each <= most)]


def _taken(
    predict: Callable[[dict[str, NDArray[Any]]], NDArray[np.float64]],
    rows: Mapping[str, NDArray[Any]],
    start: int,
    end: int,
) -> list[tuple[tuple[int, int], NDArray[np.float64]]]:
    """Return the predictions of the rows that an estimator accepts, with the positions of these rows.

    Rows that it refuses are halved repeatedly, until only accepted rows are left.
    """
    if start == end:
        return []
    try:
        return [((start, end), predict({name: values[start:end] for name, values in rows.items()}))]
    except Exception:  # noqa: BLE001 - each library has errors of its own, and the user's rows were predicted before
        # An edge value that the estimator refuses, such as NaN without an imputer.
        if end - start == 1:
            return []
    middle = (start + end) // 2
    return [*_taken(predict, rows, start, middle), *_taken(predict, rows, middle, end)]


def _as_fitted(rows: Any, columns: Mapping[str, NDArray[Any]], converted: Converted) -> Any:
    """Return columns as an input of the estimator: a DataFrame if `rows` is one or it needs names, else an array."""
    if hasattr(rows, "columns"):
        return type(rows)(dict(columns))
    if not converted.named:
        return np.column_stack(list(columns.values()))
    for library in ("pandas", "polars"):
        if library in sys.modules:
            return sys.modules[library].DataFrame(
                {name: each.tolist() if each.dtype == object else each for name, each in columns.items()}
            )
    raise RowsNeededError("neither pandas nor polars is imported, and the estimator was fitted to a DataFrame")


def _native(estimator: Any, rows: Any) -> NDArray[np.float64]:
    with warnings.catch_warnings():
        # scikit-learn warns about rows without names. The columns of the random rows are in the right order.
        warnings.filterwarnings("ignore", "X does not have valid feature names", UserWarning)
        if hasattr(estimator, "classes_"):
            return np.asarray(estimator.predict_proba(rows), np.float64)
        found = np.asarray(estimator.predict(rows), np.float64)
    if found.ndim > 1 and found.shape[1] != 1:
        raise NotConvertibleError(
            estimator, f"it predicts {found.shape[1]} numbers at once, and a model has one: fit one estimator for each"
        )
    return found.reshape(-1, 1)


def _run(converted: Converted, columns: Mapping[str, NDArray[Any]]) -> NDArray[np.float64]:
    try:
        import onnxruntime  # noqa: PLC0415 - of an extra
    except ImportError:
        raise ConversionUnavailableError("onnxruntime") from None
    session = onnxruntime.InferenceSession(converted.content, providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_inputs()]
    feeds = (
        {name: columns[name].reshape(-1, 1) for name in names}
        if converted.named
        else {names[0]: np.column_stack(list(columns.values()))}
    )
    # The first output of a classifier is its label.
    found = np.asarray(session.run([session.get_outputs()[-1].name], feeds)[0], np.float64)
    return found.reshape(len(found), -1)
