"""Checks the artifact of a candidate once, at registration; serving then trusts its digest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import onnx
from google.protobuf.message import DecodeError, Message
from onnx import ModelProto, TensorProto, checker, defs

from rondo.contracts.tasks.base import FittedTask
from rondo.registry.errors import NotOnnxError

if TYPE_CHECKING:
    from collections.abc import Iterator

# The newest version of each set of operators that this release knows. Others would need a library in serving.
_OPSETS = {"": defs.onnx_opset_version(), "ai.onnx": defs.onnx_opset_version(), "ai.onnx.ml": 5}


class UnsoundArtifactError(ValueError):
    """The bytes are no ONNX model that can be served."""

    code = "unsound_artifact"


def require_onnx(content: bytes) -> None:
    """Refuse a file that is no ONNX model. Whether it can be served is checked later, with the rows.

    Raises:
        NotOnnxError: it is not.

    """
    try:
        model = onnx.load_model_from_string(content)
    except DecodeError:
        raise NotOnnxError("it is not an ONNX model") from None
    # The bytes of a text may be read as a message without any field that is known.
    if not model.HasField("graph") or not model.graph.output:
        raise NotOnnxError("it is not an ONNX model")


def check_task(content: bytes, task: str) -> None:
    """Check that an artifact, which is a valid ONNX model, predicts what the spec that it was made for asks for.

    Raises:
        UnsoundArtifactError: its metadata has another task, or none that can be read.

    """
    metadata = {entry.key: entry.value for entry in onnx.load_model_from_string(content).metadata_props}
    if FittedTask.METADATA not in metadata:
        raise UnsoundArtifactError(f"its metadata has no {FittedTask.METADATA}, which says what it predicts")
    try:
        found = FittedTask.model_validate_json(metadata[FittedTask.METADATA]).task
    except ValueError:
        raise UnsoundArtifactError(f"{FittedTask.METADATA} in its metadata can't be read") from None
    if found != task:
        raise UnsoundArtifactError(f"it was made for the task {found}, and the spec has {task}")


def check_onnx(content: bytes, size: int) -> None:
    """Check that an artifact is a valid ONNX model, complete in itself, of the announced `size` in bytes.

    Raises:
        UnsoundArtifactError: it is not.

    """
    if len(content) != size:
        raise UnsoundArtifactError(f"it has {len(content):,} bytes, {size:,} were announced")
    try:
        model = onnx.load_model_from_string(content)
    except DecodeError as error:
        raise UnsoundArtifactError(f"it is not an ONNX model ({error})") from None
    _require_no_files(model)
    for entry in model.opset_import:
        if entry.version > _OPSETS.get(entry.domain, 0):
            raise UnsoundArtifactError(f"it needs the operators {entry.domain or 'ai.onnx'} {entry.version}")
    if model.functions:
        raise UnsoundArtifactError("it defines functions of its own")
    try:
        checker.check_model(model)
    except (checker.ValidationError, ValueError) as error:
        raise UnsoundArtifactError(f"it is not a valid ONNX model: {str(error).partition(chr(10))[0]}") from None


def _require_no_files(model: ModelProto) -> None:
    """Refuse tensors outside of the model: it could read any file of the machine (CVE-2022-25882)."""
    for tensor in _tensors(model):
        if tensor.data_location == TensorProto.EXTERNAL or tensor.external_data:
            raise UnsoundArtifactError(f"its tensor {tensor.name!r} is in another file")


def _tensors(message: Message) -> Iterator[TensorProto]:
    """Yield every tensor, whatever message holds it: attributes, subgraphs, functions, sparse tensors, training."""
    if isinstance(message, TensorProto):
        yield message
        return
    for field, value in message.ListFields():
        if field.message_type is not None:
            for each in value if field.is_repeated else (value,):
                yield from _tensors(each)
