"""Open Inference Protocol v2, as values: JSON to columns, and scores to JSON. See its "Inference Request JSON Object".

One tensor per feature, named as the feature, with shape [N] or [N, 1]. Three more are optional BYTES tensors of N:
`rondo.id`, `rondo.entity` and `rondo.event_time` (a feature's name has no dot). The ids come back beside the
scores, for outcomes to refer to.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from rondo.serving.errors import RequestRefusedError
from rondo.serving.layout import Column, unfit
from rondo.serving.tensors import Tensor, numbers, texts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from rondo.contracts.spec import Feature

ID, ENTITY, EVENT_TIME = "rondo.id", "rondo.entity", "rondo.event_time"
MAX_ROWS = 10_000
_MAX_ID = 256
_DATATYPES = {"category": "BYTES", "float": "FP32", "int": "INT64", "bool": "BOOL"}


class InferenceRequest(msgspec.Struct):
    """The body of `POST /v2/models/<model>/infer`; what is not known is ignored."""

    inputs: list[Tensor]
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Rows:
    """N rows to score: who they are, and their features as columns [N]."""

    ids: list[str]
    entities: list[str | None]
    event_times: list[datetime | None]
    columns: dict[str, Column]


_decoder = msgspec.json.Decoder(InferenceRequest)


def decode(body: bytes) -> InferenceRequest:
    """Read a body.

    Raises:
        RequestRefusedError: it is not JSON, or not of the protocol's form.

    """
    try:
        request = _decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        form = '{"inputs": [{"name": "<feature>", "shape": [1], "datatype": "FP32", "data": [12.5]}]}'
        raise RequestRefusedError("bad_request", f"the body does not fit ({error}): send {form}") from None
    if request.id is not None and not 1 <= len(request.id) <= _MAX_ID:
        raise RequestRefusedError("bad_id", f"`id` has {len(request.id)} characters: send 1 to {_MAX_ID}")
    return request


def rows(request: InferenceRequest, features: Mapping[str, Feature], new_id: str) -> Rows:
    """Turn the tensors into columns. Rows without ids get `new_id`, numbered where there are several.

    Raises:
        RequestRefusedError: a tensor is missing, of another datatype or shape, or holds what the model can't take.

    """
    tensors = {tensor.name: tensor for tensor in request.inputs}
    count = _count(tensors, features)
    columns = {name: _column(tensors.get(name), name, feature, count) for name, feature in features.items()}
    given = texts(tensors[ID], count) if ID in tensors else [None] * count
    numbered = [new_id] if count == 1 else [f"{new_id}/{row}" for row in range(count)]
    ids = [sent or made for sent, made in zip(given, numbered, strict=True)]
    entities: list[str | None] = texts(tensors[ENTITY], count) if ENTITY in tensors else [None] * count
    if any(len(text) > _MAX_ID for text in (*ids, *(e for e in entities if e))):
        raise RequestRefusedError("bad_id", f"an id or entity is longer than {_MAX_ID} characters: send shorter ones")
    return Rows(ids, entities, _times(tensors.get(EVENT_TIME), count), columns)


def answer(model: str, model_version: int, request_id: str, ids: list[str], scores: NDArray[np.float32]) -> bytes:
    """Write the response."""
    shape = [len(ids), 1]
    outputs = [
        {"name": "score", "shape": shape, "datatype": "FP32", "data": [float(f"{s:.9g}") for s in scores.tolist()]},
        {"name": ID, "shape": shape, "datatype": "BYTES", "data": ids},
    ]
    response = {"model_name": model, "model_version": str(model_version), "id": request_id, "outputs": outputs}
    return msgspec.json.encode(response)


def metadata(model: str, versions: list[int], features: Mapping[str, Feature]) -> dict[str, Any]:
    """Return what `GET /v2/models/<model>` says."""
    inputs = [
        {"name": name, "datatype": _DATATYPES[feature.type], "shape": [-1, 1]} for name, feature in features.items()
    ]
    outputs = [
        {"name": "score", "datatype": "FP32", "shape": [-1, 1]},
        {"name": ID, "datatype": "BYTES", "shape": [-1, 1]},
    ]
    return {
        "name": model, "versions": [str(version) for version in versions], "platform": "onnx_onnxruntime",
        "inputs": inputs, "outputs": outputs,
    }  # fmt: skip


def _count(tensors: Mapping[str, Tensor], features: Mapping[str, Feature]) -> int:
    sent = next((tensors[name] for name in features if name in tensors), None)
    if sent is None:
        wanted = ", ".join(f"{name} ({_DATATYPES[f.type]})" for name, f in features.items())
        raise RequestRefusedError("missing_feature", f"no input is a feature: send one tensor for each of {wanted}")
    count = sent.shape[0] if sent.shape else 0
    if not 1 <= count <= MAX_ROWS:
        raise RequestRefusedError("bad_shape", f"`{sent.name}` has {count} rows: send 1 to {MAX_ROWS:,} in one request")
    return count


def _column(tensor: Tensor | None, name: str, feature: Feature, count: int) -> Column:
    datatype = _DATATYPES[feature.type]
    if tensor is None:
        if not feature.optional:
            message = f"the input `{name}` is missing: send a {datatype} tensor of shape [{count}, 1]"
            raise RequestRefusedError("missing_feature", message)
        return np.full(count, "", np.object_) if datatype == "BYTES" else np.full(count, np.nan, np.float32)
    if datatype == "BYTES":
        values = texts(tensor, count)
        missing = None in values
        column: Column = np.array([value or "" for value in values], dtype=np.object_)
    else:
        column = numbers(tensor, count, boolean=datatype == "BOOL")
        missing = bool(np.isnan(column).any())
        if wrong := unfit(column, feature):
            message = f"`{name}` at row {wrong[0]} is not finite as FP32, or no whole number: send {datatype}"
            raise RequestRefusedError("not_finite", message)
    if missing and not feature.optional:
        raise RequestRefusedError(
            "missing_feature", f"`{name}` holds a null, and it may not be missing: send {datatype}"
        )
    return column


def _times(tensor: Tensor | None, count: int) -> list[datetime | None]:
    if tensor is None:
        return [None] * count
    try:
        return [msgspec.convert(value, datetime | None) for value in texts(tensor, count)]
    except msgspec.ValidationError as error:
        message = f"`{EVENT_TIME}` holds what is no RFC 3339 time ({error}): send such as 2013-03-01T12:00:00Z"
        raise RequestRefusedError("bad_event_time", message) from None
