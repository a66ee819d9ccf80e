"""Open Inference Protocol v2: the form of a request. See its "Inference Request JSON Object".

A request has one tensor per feature, named as the feature, of shape [N] or [N, 1]. Three BYTES tensors of N are
optional: `rondo.id`, `rondo.entity` and `rondo.event_time` (the name of a feature has no dot). The outputs are those of
the model, and two more: `rondo.id` and `rondo.model_version`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from rondo.contracts.text import MAX_ID
from rondo.serving.errors import RequestRefusedError

if TYPE_CHECKING:
    from collections.abc import Sequence

ID, ENTITY, EVENT_TIME, VERSION = "rondo.id", "rondo.entity", "rondo.event_time", "rondo.model_version"


Parameters = dict[str, Any] | None


class Tensor(msgspec.Struct, forbid_unknown_fields=True):
    """One input. `data` is flat, or nested as its shape demands."""

    name: str
    shape: list[int]
    datatype: str
    data: list[Any]
    parameters: Parameters = None


class RequestedOutput(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    parameters: Parameters = None


class InferenceRequest(msgspec.Struct, forbid_unknown_fields=True):
    """The body of `POST /v2/models/<model>/infer`. `parameters` of any kind are ignored."""

    inputs: list[Tensor]
    id: str | None = None
    outputs: list[RequestedOutput] | None = None
    parameters: Parameters = None

    def requested_outputs(self, known: Sequence[str]) -> tuple[str, ...]:
        """Return the names of the requested outputs: all that are known if none is named.

        Raises:
            RequestRefusedError: one is not known.

        """
        names = tuple(dict.fromkeys(output.name for output in self.outputs or ()))
        if unknown := next((name for name in names if name not in known), None):
            message = f"there is no output `{unknown[:60]}`: ask for some of {', '.join(known)}, or name none"
            raise RequestRefusedError("unknown_output", message)
        return names or tuple(known)


_decoder = msgspec.json.Decoder(InferenceRequest)


def decode(body: bytes) -> InferenceRequest:
    """Decode a body.

    Raises:
        RequestRefusedError: it is not JSON, or not of the protocol's form.

    """
    try:
        request = _decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        form = '{"inputs": [{"name": "<feature>", "shape": [1], "datatype": "FP32", "data": [12.5]}]}'
        raise RequestRefusedError("bad_request", f"the body does not fit ({error}): send {form}") from None
    if request.id is not None and not 1 <= len(request.id) <= MAX_ID:
        raise RequestRefusedError("bad_id", f"`id` has {len(request.id)} characters: send 1 to {MAX_ID}")
    return request
