"""Checks the artifact of a candidate once, at registration. Serving then trusts its digest."""

from __future__ import annotations

from rondo.chassis import onnx_document
from rondo.chassis.onnx_document import InvalidModelError, NotAModelError, TooManyMessagesError
from rondo.contracts.tasks.base import FittedTask
from rondo.registry.errors import ModelTooComplexError, NotOnnxError


class UnsoundArtifactError(ValueError):
    """The bytes are no ONNX model that can be served."""

    code = "unsound_artifact"


def require_onnx(content: bytes) -> None:
    """Refuse a file that is no ONNX model. The trainer checks later, with the rows, whether it can be served.

    Raises:
        NotOnnxError: it is no ONNX model.
        ModelTooComplexError: it has too many messages to be parsed.

    """
    try:
        onnx_document.parse(content)
    except NotAModelError as error:
        raise NotOnnxError(str(error)) from None
    except TooManyMessagesError as error:
        raise ModelTooComplexError(str(error)) from None


def check_task(content: bytes, task: str) -> None:
    """Check that an artifact, which is a valid ONNX model, has the task of its spec.

    Raises:
        UnsoundArtifactError: its metadata has another task, or no readable one.

    """
    metadata = onnx_document.metadata(onnx_document.parse(content))
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
        model = onnx_document.parse(content)
    except (NotAModelError, TooManyMessagesError) as error:
        raise UnsoundArtifactError(str(error)) from None
    if (tensor := onnx_document.external_tensor(model)) is not None:
        raise UnsoundArtifactError(f"its tensor {tensor!r} is in another file")
    for domain, version in onnx_document.versions_of(model).items():
        if version > onnx_document.NEWEST.get(domain, 0):
            raise UnsoundArtifactError(f"it needs the operators {domain or 'ai.onnx'} {version}")
    if model.functions:
        raise UnsoundArtifactError("it defines functions of its own")
    try:
        onnx_document.check(model)
    except InvalidModelError as error:
        raise UnsoundArtifactError(f"it is not a valid ONNX model: {error}") from None
