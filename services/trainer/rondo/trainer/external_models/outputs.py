"""Finds which output of a graph is the prediction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import TensorProto, helper

from rondo.contracts.tasks.multiclass import MAX_CLASSES
from rondo.trainer.external_models.classes import classes_of, columns_of
from rondo.trainer.external_models.errors import (
    BatchDependentError,
    NotProbabilitiesError,
    RunFailedError,
    UnclearOutputError,
    ZipMapError,
)
from rondo.trainer.external_models.inputs import PREFIX, type_name

if TYPE_CHECKING:
    from collections.abc import Callable

    import onnx
    import polars as pl
    from numpy.typing import NDArray

    from rondo.contracts.tasks.base import TargetKind

OUTPUT = "rondo.output"
_FLOATS = (TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16)
# The names that skl2onnx and onnxmltools use, and users of Keras and PyTorch often.
_PROBABILITIES = ("probabilities", "probability", "output_probability", "proba", "probs")
_BINARY = 2
# The error of a sum of float32 probabilities is at most the number of classes times 6e-8.
_TOLERANCE = 1e-3
_ALONE, _ROUNDING = 20, 1e-3
_WANTED: dict[TargetKind, str] = {
    "probability": "a float output of shape [N, 2] with the probabilities of both labels, or [N, 1] with that of the"
    " positive one",
    "probabilities": "a float output of shape [N, classes] with the probability of each class",
    "number": "a float output of shape [N, 1] with the value",
}


@dataclass(frozen=True)
class RawOutput:
    """An output, and the columns of it that are the raw prediction.

    `classes` are those of the raw prediction in their order. `assumed` is True if the graph names no classes, so that
    their order is assumed.
    """

    name: str
    columns: tuple[int, ...]
    found: int
    classes: tuple[str, ...]
    assumed: bool

    def take(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """Return the raw prediction, shape `[N, width]`. A value beyond float32 becomes infinite, as in the graph.

        Probabilities that are outside of 0 to 1 by rounding become 0 or 1. A mean over 50 trees may be 1.0000001.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            found = values.reshape(-1, self.found)[:, self.columns].astype(np.float32)
            if self.classes:
                within = np.clip(found, np.float32(0), np.float32(1))
                found = np.where(np.abs(found - within) > np.float32(_TOLERANCE), found, within)
        return found.astype(np.float64)

    def onnx_nodes(self, raw: str) -> list[onnx.NodeProto]:
        """Return the nodes from the output to the tensor `raw`, float32 `[N, width]`."""
        shape, shaped, at, taken = (f"taken.raw.{part}" for part in ("shape", "shaped", "columns", "columns_taken"))
        return [
            helper.make_node("Constant", [], [shape], name=shape, value_ints=[-1, self.found]),
            helper.make_node("Reshape", [f"{PREFIX}{self.name}", shape], [shaped], name=shaped),
            helper.make_node("Constant", [], [at], name=at, value_ints=list(self.columns)),
            helper.make_node("Gather", [shaped, at], [taken], name=taken, axis=1),
            *self._rounded_nodes(taken, raw),
        ]

    def _rounded_nodes(self, taken: str, raw: str) -> list[onnx.NodeProto]:
        """Return the nodes that round the tensor `taken` as `take` rounds its columns."""
        if not self.classes:
            return [helper.make_node("Cast", [taken], [raw], name=raw, to=TensorProto.FLOAT)]
        known = {"none": 0.0, "all": 1.0, "tolerance": _TOLERANCE}
        none, one, tolerance = (f"taken.raw.{name}" for name in known)
        found, within, difference, size, beyond = (
            f"taken.raw.{part}" for part in ("found", "within", "difference", "size", "beyond")
        )
        return [
            *(
                helper.make_node("Constant", [], [f"taken.raw.{name}"], name=f"taken.raw.{name}", value_float=value)
                for name, value in known.items()
            ),
            helper.make_node("Cast", [taken], [found], name=found, to=TensorProto.FLOAT),
            helper.make_node("Clip", [found, none, one], [within], name=within),
            helper.make_node("Sub", [found, within], [difference], name=difference),
            helper.make_node("Abs", [difference], [size], name=size),
            helper.make_node("Greater", [size, tolerance], [beyond], name=beyond),
            helper.make_node("Where", [beyond, found, within], [raw], name=raw),
        ]

    def check(self, target: TargetKind, raw: NDArray[np.float64]) -> None:
        """Check that the finite predictions of a classifier are probabilities.

        Raises:
            NotProbabilitiesError: they are not.

        """
        rows = raw[np.isfinite(raw).all(axis=1)]
        if target == "number" or not len(rows):
            return
        if (outside := rows[(rows < -_TOLERANCE) | (rows > 1 + _TOLERANCE)]).size:
            raise NotProbabilitiesError(self.name, f"a value is {outside[0]:.4g}")
        if target == "probabilities" and (worst := np.abs(rows.sum(axis=1) - 1).max()) > _TOLERANCE:
            raise NotProbabilitiesError(self.name, f"those of a row add up to 1 with an error of {worst:.4g}")


def check_rows_alone(
    predict: Callable[[pl.DataFrame], NDArray[np.float64]], rows: pl.DataFrame, raw: NDArray[np.float64]
) -> None:
    """Check that the first rows have the same predictions without the other rows.

    `raw` are the predictions of all `rows` together.

    Raises:
        BatchDependentError: a prediction differs.

    """
    count = min(_ALONE, rows.height // 2)
    if not count:
        return
    among, alone = raw[:count], predict(rows.head(count))
    with np.errstate(invalid="ignore"):
        differences = np.abs(among - alone) / np.maximum(1, np.abs(among))
    # A float32 sum in another order differs by less. If neither is a finite number, there is no difference.
    if (largest := float(np.nan_to_num(differences, nan=0.0).max())) > _ROUNDING:
        raise BatchDependentError(count, largest)


def candidate_output(model: onnx.ModelProto, target: TargetKind) -> str:
    """Return the name of the output that has the prediction.

    It is the only float output. Of several it is the one that the metadata `rondo.output` names, or that has a name for
    probabilities.

    Raises:
        UnclearOutputError: there is none, or several.
        ZipMapError: the probabilities are dictionaries.

    """
    outputs: dict[str, onnx.ValueInfoProto] = {value.name: value for value in model.graph.output}
    floats = [name for name, value in outputs.items() if value.type.tensor_type.elem_type in _FLOATS]
    found, wanted = [_described(value) for value in outputs.values()], f"export {_WANTED[target]}"
    named: str | None = next((entry.value for entry in model.metadata_props if entry.key == OUTPUT), None)
    if named is not None:
        if named not in floats:
            raise UnclearOutputError(found, f"`{OUTPUT}` names {named!r}, which is no output of floats", wanted)
        return named
    if len(floats) == 1:
        return floats[0]
    if not floats:
        maps = [name for name, value in outputs.items() if value.type.WhichOneof("value") == "sequence_type"]
        if maps:
            raise ZipMapError(maps[0])
        raise UnclearOutputError(found, "none of them has floats", wanted)
    probabilities = [name for name in floats if name in _PROBABILITIES]
    if target != "number" and len(probabilities) == 1:
        return probabilities[0]
    raise UnclearOutputError(
        found,
        "several have floats",
        f"name the one that is the prediction in the metadata `{OUTPUT}` of the model, or {wanted}",
    )


def raw_output(
    model: onnx.ModelProto,
    name: str,
    sample: NDArray[Any],
    rows: int,
    target: TargetKind,
    wanted: tuple[str, ...] | None,
) -> RawOutput:
    """Return the interpretation of the output `name`, whose value was `sample` for `rows` rows.

    `wanted` are the classes in the order of the raw prediction. None takes the classes of the graph, which must have
    some.

    Raises:
        UnclearOutputError: its shape does not fit the target.
        UnmatchedClassesError: the classes differ.
        RunFailedError: its number of rows differs.

    """
    if sample.ndim == 0 or len(sample) != rows:
        problem = f"the output {name!r} has the shape {list(sample.shape)} for {rows} rows"
        raise RunFailedError(problem)
    width = int(np.prod(sample.shape[1:]))
    unclear = UnclearOutputError(
        [f"{name} {list(sample.shape)}"],
        f"{width} columns can't be the prediction",
        f"export {_WANTED[target]}",
    )
    if target == "number":
        if width != 1:
            raise unclear
        return RawOutput(name, (0,), 1, (), assumed=False)
    if target == "probability":
        labels = wanted or ("0", "1")
        if width == 1:
            return RawOutput(name, (0,), 1, labels, assumed=False)
        if width != _BINARY:
            raise unclear
        classes = classes_of(model, width)
        return RawOutput(name, columns_of(classes, labels)[1:], width, labels, assumed=classes is None)
    if not 1 < width <= MAX_CLASSES:
        raise unclear
    classes = classes_of(model, width)
    labels = wanted or classes or ()
    if len(labels) != width:
        raise unclear if labels else _nameless(name, width)
    return RawOutput(name, columns_of(classes, labels), width, labels, assumed=classes is None)


def _nameless(name: str, width: int) -> UnclearOutputError:
    return UnclearOutputError(
        [f"{name} [N, {width}]"],
        "nothing says which class each column is",
        'name the classes in the metadata `rondo.classes` of the model, as JSON such as ["no", "yes"]',
    )


def _described(value: onnx.ValueInfoProto) -> str:
    kind = value.type.WhichOneof("value")
    if kind != "tensor_type":
        return f"{value.name} ({str(kind).removesuffix('_type')})"
    return f"{value.name} ({type_name(value.type.tensor_type.elem_type)})"
