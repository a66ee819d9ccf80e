"""The response of an inference and the metadata of a model in the Open Inference Protocol v2.

In addition to the model's outputs, a response has the ids, to which outcomes refer, and the version that answered each
row.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Self, TypeAlias

import msgspec
import numpy as np
import orjson

from rondo.serving.open_inference import binary
from rondo.serving.open_inference.names import ID, VERSION
from rondo.serving.open_inference.tensors import DATATYPES

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from numpy.typing import NDArray

    from rondo.contracts.tasks.base import Output
    from rondo.serving.inference.batcher import Answered
    from rondo.serving.models.loaded_version import ServedModel
    from rondo.serving.outputs.schema import OutputSchema

Tensor: TypeAlias = dict[str, Any]
_ANY_NUMBER = -1  # dimension of the rows
# The number of versions of models, times the common numbers of rows.
_MAX_DESCRIBED = 256


def names(schema: OutputSchema) -> tuple[str, ...]:
    """Return the names of the outputs of a response: the model's, and those that every response has."""
    return (*schema.names, ID, VERSION)


@dataclass(frozen=True, slots=True)
class InferenceResponse:
    """The requested outputs, each with its description and its values: an array, or a list of texts or whole numbers.

    `version` is the version that answered all rows, and empty if several did. `warnings` are sentences about the
    request.
    """

    model: str
    request_id: str
    version: str
    outputs: Sequence[tuple[Tensor, NDArray[Any] | Sequence[str | int]]]
    warnings: Sequence[str] = ()

    @property
    def parameters(self) -> dict[str, str]:
        """The parameters of the response. The protocol has one value for each."""
        return {"warnings": "\n".join(self.warnings)} if self.warnings else {}

    @classmethod
    def of(
        cls,
        served: ServedModel,
        request_id: str,
        ids: Sequence[str],
        answered: Sequence[Answered],
        requested: Collection[str],
    ) -> Self:
        """Return the response with these outputs for rows with these ids."""
        schema, rows = served.outputs, len(ids)
        versions = [""] * rows
        for part in answered:
            for row in part.numbers:
                versions[row] = str(part.version.model_version)
        data: dict[str, Any] = {ID: ids, VERSION: versions}
        data |= {each.name: _values(each, schema, rows, answered) for each in schema.outputs if each.name in requested}
        described = _described_by_name(schema, rows)
        version = versions[0] if len(set(versions)) == 1 else ""
        return cls(served.model, request_id, version, [(described[name], data[name]) for name in requested])

    def as_json(self) -> bytes:
        """Return the body of a response over HTTP.

        Numbers have the fewest digits that read back as the same float32.
        """
        return self._header([tensor | {"data": json_data(values)} for tensor, values in self.outputs])

    def as_binary(self, as_raw: Collection[str]) -> tuple[bytes, bytes]:
        """Return the JSON of a response, and the raw contents of the outputs `as_raw`, which are not in the JSON."""
        outputs, raw = list[Tensor](), list[bytes]()
        for tensor, values in self.outputs:
            if tensor["name"] in as_raw:
                raw.append(binary.encode(tensor["datatype"], values))
                size = {"binary_data_size": len(raw[-1])}
                outputs.append(tensor | {"parameters": tensor.get("parameters", {}) | size})
            else:
                outputs.append(tensor | {"data": json_data(values)})
        return self._header(outputs), b"".join(raw)

    def _header(self, outputs: Sequence[Tensor]) -> bytes:
        response: dict[str, Any] = {"model_name": self.model, "id": self.request_id, "outputs": outputs}
        if self.version:
            response["model_version"] = self.version
        if self.warnings:
            response["parameters"] = self.parameters
        return msgspec.json.encode(response)


def metadata(served: ServedModel, versions: Sequence[int]) -> dict[str, Any]:
    """Return the body of `GET /v2/models/<model>`."""
    inputs = [described(name, DATATYPES[feature.type], _ANY_NUMBER) for name, feature in served.schema.features.items()]
    outputs = [_with_meaning(output, served.outputs) for output in served.outputs.outputs]
    return {
        "name": served.model, "versions": [str(version) for version in versions], "platform": "onnx_onnxruntime",
        "inputs": inputs, "outputs": [*outputs, *_of_rows(_ANY_NUMBER)],
    }  # fmt: skip


def _with_meaning(output: Output, schema: OutputSchema) -> Tensor:
    """Return the description of an output with the meaning of its values. An answer only has the labels of columns."""
    tensor = _output(output, schema, _ANY_NUMBER)
    if output.kind == "label":
        return tensor | {"parameters": {"values": list(schema.labels)}}
    if output.of_label is not None:
        return tensor | {"parameters": {"label": schema.labels[output.of_label]}}
    if output.coverage is not None:
        return tensor | {"parameters": {"coverage": output.coverage}}
    return tensor


@lru_cache(_MAX_DESCRIBED)
def _described_by_name(schema: OutputSchema, rows: int) -> Mapping[str, Tensor]:
    return {tensor["name"]: tensor for tensor in _described(schema, rows)}


def _described(schema: OutputSchema, rows: int) -> list[Tensor]:
    tensors = [_output(output, schema, rows) for output in schema.outputs]
    return [*tensors, *_of_rows(rows)]


def _of_rows(rows: int) -> list[Tensor]:
    """Return the outputs that every response has."""
    return [described(name, "BYTES", rows) for name in (ID, VERSION)]


def _output(output: Output, schema: OutputSchema, rows: int) -> Tensor:
    if output.kind == "label":
        whole = all(isinstance(label, int) for label in schema.labels)
        return described(output.name, "INT64" if whole else "BYTES", rows)
    if output.kind == "number":
        return described(output.name, "FP32", rows)
    labels = list(schema.labels)
    return described(output.name, "FP32", rows, len(labels)) | {"parameters": {"labels": labels}}


def described(name: str, datatype: str, rows: int, width: int = 1) -> Tensor:
    return {"name": name, "datatype": datatype, "shape": [rows, width]}


def _values(
    output: Output, schema: OutputSchema, rows: int, answered: Sequence[Answered]
) -> NDArray[Any] | Sequence[str | int]:
    """Return the values of all rows in row-major order."""
    if len(answered) == 1:
        values: NDArray[Any] = answered[0].outputs[output.name]
    else:
        values = np.empty(schema.shape(output, rows), np.int64 if output.kind == "label" else np.float32)
        for part in answered:
            values[part.numbers] = part.outputs[output.name]
    if output.kind == "label":
        return [schema.labels[place] for place in values.tolist()]
    return np.ascontiguousarray(values).ravel()


def json_data(values: NDArray[Any] | Sequence[str | int]) -> Any:
    if isinstance(values, np.ndarray):
        return msgspec.Raw(orjson.dumps(values, option=orjson.OPT_SERIALIZE_NUMPY))
    return values
