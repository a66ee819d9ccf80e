"""The client side of the Open Inference Protocol v2: features to tensors, responses to predictions."""

from __future__ import annotations

import re
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

from rondo.client import messages
from rondo.client.errors import RefusedError, ServiceFailedError
from rondo.client.messages import sendable
from rondo.client.prediction import Prediction

if TYPE_CHECKING:
    from rondo.contracts.events.predictions import PredictionRequested

_ENTITY, _EVENT_TIME = "rondo.entity", "rondo.event_time"
_OF_RONDO = "rondo."  # prefix of the outputs that Rondo adds to the model's: id and version
_ONE_ROW = [1, 1]
_OF_TENSORS = re.compile(r" at row 0(?= )|, in an? \w+ tensor of shape \[1, 1\]")


def body(request: PredictionRequested) -> bytes:
    """Return the body of the request: one tensor of shape [1, 1] per feature that has a value.

    Raises:
        RefusedError: a number is infinite, a value has a type that JSON lacks, or no feature has a value.

    """
    inputs = [_tensor(name, value) for name, value in sendable(request.features).items() if value is not None]
    if not inputs:
        raise RefusedError(
            "no feature has a value: give at least one, `rondo predict` takes them as name=value", code="no_features"
        )
    if request.entity is not None:
        inputs.append(_tensor(_ENTITY, request.entity))
    if request.event_time is not None:
        inputs.append(_tensor(_EVENT_TIME, request.event_time.isoformat()))
    return messages.encode({"id": request.id, "inputs": inputs})


def in_features(refused: RefusedError) -> RefusedError:
    """Return the refusal without rows and tensors, which the caller of a request with one row does not know."""
    return RefusedError(_OF_TENSORS.sub("", str(refused)), code=refused.code)


def _tensor(name: str, value: Any) -> dict[str, Any]:
    return {"name": name, "shape": _ONE_ROW, "datatype": _datatype(value), "data": [value]}


def _datatype(value: Any) -> str:
    match value:
        case bool():
            return "BOOL"
        case Integral():
            return "INT64"
        case Real():
            return "FP64"
        case _:
            return "BYTES"


def prediction(asked: PredictionRequested, answer: dict[str, Any]) -> Prediction:
    """Return the prediction in a response.

    Raises:
        ServiceFailedError: the response has no output of one row.

    """
    try:
        mine = [tensor for tensor in answer["outputs"] if not tensor["name"].startswith(_OF_RONDO)]
        output = {tensor["name"]: _value(tensor) for tensor in mine}
        about = {"id": asked.id, "model": answer["model_name"], "model_version": int(answer["model_version"])}
        warnings = (answer.get("parameters") or {}).get("warnings", "")
        return Prediction(**about, output=output, warnings=tuple(warnings.splitlines()))
    except (KeyError, IndexError, TypeError, ValueError, AttributeError):
        raise ServiceFailedError("serving", 200, f"no prediction in the answer: {answer}") from None


def _value(tensor: dict[str, Any]) -> Any:
    """Return the value of one row. If the columns have labels, return a value by label."""
    labels = tensor.get("parameters", {}).get("labels")
    return tensor["data"][0] if labels is None else dict(zip(map(str, labels), tensor["data"], strict=True))
