"""Converts tensors of protobuf messages to those of the protocol, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import orjson

from rondo.serving.errors import RequestRefusedError
from rondo.serving.grpc.messages import message_class
from rondo.serving.open_inference import binary
from rondo.serving.open_inference.names import described_name
from rondo.serving.open_inference.protocol import InferenceRequest, RequestedOutput, Tensor

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rondo.serving.grpc.messages import Message
    from rondo.serving.open_inference.response import InferenceResponse

_RESPONSE = message_class("inference.ModelInferResponse")
_OUTPUT = message_class("inference.ModelInferResponse.InferOutputTensor")
_METADATA = message_class("inference.ModelMetadataResponse")
# An empty tensor has two bytes in a message, and hundreds as an object. 8 MiB of them would block the loop for seconds.
_MAX_TENSORS = 100_000
# The field with the contents of a tensor, by datatype. A 16-bit float only has raw contents.
_CONTENTS = {
    "BOOL": "bool_contents", "INT8": "int_contents", "INT16": "int_contents", "INT32": "int_contents",
    "INT64": "int64_contents", "UINT8": "uint_contents", "UINT16": "uint_contents", "UINT32": "uint_contents",
    "UINT64": "uint64_contents", "FP32": "fp32_contents", "FP64": "fp64_contents", "BYTES": "bytes_contents",
}  # fmt: skip


def request(message: Message) -> InferenceRequest:
    """Return the request in a `ModelInferRequest`.

    Raises:
        RequestRefusedError: the id is too long, there are more than 100,000 tensors, or the contents of a tensor do not
            fit.

    """
    inputs, raw = message.inputs, message.raw_input_contents
    if (count := max(len(inputs), len(message.outputs))) > _MAX_TENSORS:
        text = f"there are {count:,} tensors: send one for each feature, with all rows, and {_MAX_TENSORS:,} at most"
        raise RequestRefusedError("too_large", text)
    if raw and len(raw) != len(inputs):
        text = f"there are {len(inputs)} inputs and {len(raw)} raw_input_contents: send one for each input, or none"
        raise RequestRefusedError("bad_request", text)
    if raw and (twice := next((each.name for each in inputs if each.HasField("contents")), None)) is not None:
        text = f"{described_name(twice)} has contents, and raw_input_contents beside them: send its values in one form"
        raise RequestRefusedError("bad_request", text)
    tensors = [_tensor(each, raw[number] if raw else None) for number, each in enumerate(inputs)]
    outputs = [RequestedOutput(each.name) for each in message.outputs]
    found = InferenceRequest(tensors, message.id or None, outputs, _parameters(message))
    found.check_id()
    return found


def _parameters(message: Message) -> dict[str, Any] | None:
    """Return the one parameter that has a meaning over gRPC, if it is given."""
    if "timeout" not in message.parameters:
        return None
    timeout = message.parameters["timeout"]
    return {"timeout": getattr(timeout, timeout.WhichOneof("parameter_choice") or "int64_param")}


def _tensor(sent: Message, raw: bytes | None) -> Tensor:
    name, datatype, shape = sent.name, sent.datatype, sent.shape[:]
    if raw is None:
        return Tensor(name, shape, datatype, _values(name, datatype, sent.contents))
    return Tensor(name, shape, datatype, binary.decode(name, datatype, shape, raw))


def _values(name: str, datatype: str, contents: Message) -> list[Any]:
    """Return typed contents. Empty for a datatype without a field."""
    values = list(getattr(contents, _CONTENTS[datatype])) if datatype in _CONTENTS else []
    if datatype == "BYTES":
        return binary.texts(name, values)
    return binary.without_nan(values) if datatype in ("FP32", "FP64") else values


def response(answer: InferenceResponse) -> Message:
    """Return a `ModelInferResponse` with typed contents."""
    message = _RESPONSE(model_name=answer.model, model_version=answer.version, id=answer.request_id)
    for key, value in answer.parameters.items():
        message.parameters[key].string_param = value
    for tensor, values in answer.outputs:
        described = output(tensor)
        getattr(described.contents, _CONTENTS[tensor["datatype"]]).extend(_typed(values))
        message.outputs.append(described)
    return message


def output(tensor: Mapping[str, Any]) -> Message:
    """Return the description of an output, without contents."""
    described = _OUTPUT(name=tensor["name"], datatype=tensor["datatype"], shape=tensor["shape"])
    for key, value in tensor.get("parameters", {}).items():
        described.parameters[key].string_param = orjson.dumps(value).decode()
    return described


def _typed(values: Any) -> Sequence[Any]:
    if isinstance(values, np.ndarray):
        found: list[Any] = values.tolist()
        return found
    return [value.encode() if isinstance(value, str) else value for value in values]


def metadata(described: Mapping[str, Any]) -> Message:
    """Return the body of `GET /v2/models/<model>` as a `ModelMetadataResponse`."""
    parts = {
        part: [{key: tensor[key] for key in ("name", "datatype", "shape")} for tensor in described[part]]
        for part in ("inputs", "outputs")
    }
    return _METADATA(name=described["name"], versions=described["versions"], platform=described["platform"], **parts)
