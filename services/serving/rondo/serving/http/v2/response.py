"""Open Inference Protocol v2: the response of an inference, and the metadata of a model.

A response returns the ids beside the model's outputs, for outcomes to refer to, and the version that answered each row.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec
import numpy as np
import orjson

from rondo.serving.http.v2.protocol import ID, VERSION
from rondo.serving.http.v2.tensors import DATATYPES

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from numpy.typing import NDArray

    from rondo.contracts.tasks.base import Output
    from rondo.serving.inference.batcher import Answered
    from rondo.serving.models.loaded_version import ServedModel
    from rondo.serving.outputs.schema import OutputSchema

Tensor: TypeAlias = dict[str, Any]
_ANY_NUMBER = -1  # of rows
# Versions of models, times the numbers of rows that are usual.
_MAX_DESCRIBED = 256


def names(schema: OutputSchema) -> tuple[str, ...]:
    """Return the names of the outputs of a response: the model's, and those that every response has."""
    return (*schema.names, ID, VERSION)


def answer(
    served: ServedModel, request_id: str, ids: Sequence[str], answered: Sequence[Answered], requested: Collection[str]
) -> bytes:
    """Encode a response with the requested outputs. If several versions answered, it names none for all rows."""
    schema, rows = served.outputs, len(ids)
    versions = [""] * rows
    for part in answered:
        for row in part.numbers:
            versions[row] = str(part.version.model_version)
    data: dict[str, Any] = {ID: ids, VERSION: versions}
    data |= {each.name: _data(each, schema, rows, answered) for each in schema.outputs if each.name in requested}
    outputs = _described_by_name(schema, rows)
    response: dict[str, Any] = {
        "model_name": served.model, "id": request_id,
        "outputs": [outputs[name] | {"data": data[name]} for name in requested],
    }  # fmt: skip
    if len(set(versions)) == 1:
        response["model_version"] = versions[0]
    return msgspec.json.encode(response)


def metadata(served: ServedModel, versions: Sequence[int]) -> dict[str, Any]:
    """Return the body of `GET /v2/models/<model>`."""
    inputs = [_tensor(name, DATATYPES[feature.type], _ANY_NUMBER) for name, feature in served.schema.features.items()]
    return {
        "name": served.model, "versions": [str(version) for version in versions], "platform": "onnx_onnxruntime",
        "inputs": inputs, "outputs": _described(served.outputs, _ANY_NUMBER),
    }  # fmt: skip


@lru_cache(_MAX_DESCRIBED)
def _described_by_name(schema: OutputSchema, rows: int) -> Mapping[str, Tensor]:
    return {tensor["name"]: tensor for tensor in _described(schema, rows)}


def _described(schema: OutputSchema, rows: int) -> list[Tensor]:
    tensors = [_output(output, schema, rows) for output in schema.outputs]
    return [*tensors, *(_tensor(name, "BYTES", rows) for name in (ID, VERSION))]


def _output(output: Output, schema: OutputSchema, rows: int) -> Tensor:
    if output.kind == "label":
        whole = all(isinstance(label, int) for label in schema.labels)
        return _tensor(output.name, "INT64" if whole else "BYTES", rows)
    if output.kind == "number":
        return _tensor(output.name, "FP32", rows)
    labels = list(schema.labels)
    return _tensor(output.name, "FP32", rows, len(labels)) | {"parameters": {"labels": labels}}


def _tensor(name: str, datatype: str, rows: int, width: int = 1) -> Tensor:
    return {"name": name, "datatype": datatype, "shape": [rows, width]}


def _data(output: Output, schema: OutputSchema, rows: int, answered: Sequence[Answered]) -> Any:
    """Return the values of all rows in row-major order; numbers in the fewest digits that read back as the same."""
    if len(answered) == 1:
        values: NDArray[Any] = answered[0].outputs[output.name]
    else:
        values = np.empty(schema.shape(output, rows), np.int64 if output.kind == "label" else np.float32)
        for part in answered:
            values[part.numbers] = part.outputs[output.name]
    if output.kind == "label":
        return [schema.labels[place] for place in values.tolist()]
    return msgspec.Raw(orjson.dumps(np.ascontiguousarray(values).ravel(), option=orjson.OPT_SERIALIZE_NUMPY))
