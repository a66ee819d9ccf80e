"""The form of requests in the Open Inference Protocol v2. See its "Inference Request JSON Object".

A request has one tensor per feature, with the feature's name and shape [N] or [N, 1]. Three BYTES tensors of N values
are optional: `rondo.id`, `rondo.entity` and `rondo.event_time` (the name of a feature has no dot). The outputs are
those of the model, `rondo.id` and `rondo.model_version`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from rondo.contracts.text import MAX_ID
from rondo.serving.errors import RequestRefusedError
from rondo.serving.open_inference import binary
from rondo.serving.open_inference.names import described_name

if TYPE_CHECKING:
    from collections.abc import Sequence

# The limit of tensors in one request. A request with more would delay other requests.
MAX_BODY = 8 * 1024 * 1024
_MAX_MICROS = 24 * 3600 * 10**6
EXTENSIONS = ["binary_tensor_data", "model_repository"]


Parameters = dict[str, Any] | None


class Tensor(msgspec.Struct, forbid_unknown_fields=True):
    """One input. `data` is flat, or nested by its shape. It is absent if the contents are sent as raw contents."""

    name: str
    shape: list[int]
    datatype: str
    data: list[Any] = []
    parameters: Parameters = None


class RequestedOutput(msgspec.Struct, forbid_unknown_fields=True):
    """A requested output. `binary_data` in `parameters` is true if it is sent as raw contents."""

    name: str
    parameters: Parameters = None


class InferenceRequest(msgspec.Struct, forbid_unknown_fields=True):
    """The body of `POST /v2/models/<model>/infer`.

    `parameters` may have `binary_data_output`, true if outputs are sent as raw contents, and `timeout`, the limit for
    the answer in microseconds. Other parameters are ignored. `model_name` and `model_version`, which KServe's clients
    send, are ignored, because the path names the model.
    """

    inputs: list[Tensor]
    id: str | None = None
    outputs: list[RequestedOutput] | None = None
    parameters: Parameters = None
    model_name: str | None = None
    model_version: str | None = None

    def requested_outputs(self, known: Sequence[str]) -> tuple[str, ...]:
        """Return the names of the requested outputs, or all known outputs if the request names none.

        Raises:
            RequestRefusedError: an output is not known.

        """
        names = tuple(dict.fromkeys(output.name for output in self.outputs or ()))
        if unknown := next((name for name in names if name not in known), None):
            message = f"there is no output `{unknown[:60]}`: ask for some of {', '.join(known)}, or name none"
            raise RequestRefusedError("unknown_output", message)
        return names or tuple(known)

    def binary_outputs(self, requested: Sequence[str]) -> frozenset[str]:
        """Return the requested outputs that are sent as raw contents, by the binary tensor extension."""
        if self.parameters is None and not self.outputs:
            return frozenset()
        by_default = bool((self.parameters or {}).get("binary_data_output"))
        own = {output.name: (output.parameters or {}).get("binary_data", by_default) for output in self.outputs or ()}
        return frozenset(name for name in requested if own.get(name, by_default))

    @property
    def seconds(self) -> float | None:
        """The parameter `timeout` in seconds (Triton's schedule policy extension). None if it is absent.

        Raises:
            RequestRefusedError: the value is not a whole number of microseconds.

        """
        if self.parameters is None or not (micros := self.parameters.get("timeout")):
            return None
        if type(micros) is not int or not 0 < micros <= _MAX_MICROS:
            message = f"the parameter `timeout` is {str(micros)[:40]}: send whole microseconds, up to a day of them"
            raise RequestRefusedError("bad_request", message)
        return micros / 1e6

    def check_id(self) -> None:
        """Check the length of the id.

        Raises:
            RequestRefusedError: the id is empty or too long.

        """
        if self.id is not None and not 1 <= len(self.id) <= MAX_ID:
            raise RequestRefusedError("bad_id", f"`id` has {len(self.id)} characters: send 1 to {MAX_ID}")


_decoder = msgspec.json.Decoder(InferenceRequest)


def decode(body: bytes, header: int | None = None) -> InferenceRequest:
    """Decode a body. Its first `header` bytes are JSON, or all of them if `header` is None. Raw contents follow.

    Raises:
        RequestRefusedError: the body is not JSON, or does not have the protocol's form.

    """
    try:
        request = _decoder.decode(body if header is None else body[:header])
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        form = '{"inputs": [{"name": "<feature>", "shape": [1], "datatype": "FP32", "data": [12.5]}]}'
        raise RequestRefusedError("bad_request", f"the body does not fit ({error}): send {form}") from None
    request.check_id()
    if header is not None:
        _take_raw_contents(request, body, header)
    return request


def _take_raw_contents(request: InferenceRequest, body: bytes, place: int) -> None:
    for tensor in request.inputs:
        size = (tensor.parameters or {}).get("binary_data_size")
        if size is None:
            continue
        left = len(body) - place
        if type(size) is not int or not 0 <= size <= left:
            message = (
                f"`binary_data_size` of {described_name(tensor.name)} is {str(size)[:40]}, and {left:,} bytes are left"
                " after the JSON: send the number of bytes of this tensor"
            )
            raise RequestRefusedError("bad_request", message)
        if tensor.data:
            both = f"{described_name(tensor.name)} has `data`, and `binary_data_size` beside it"
            message = f"{both}: send its values in one form"
            raise RequestRefusedError("bad_request", message)
        tensor.data = binary.decode(tensor.name, tensor.datatype, tensor.shape, body[place : place + size])
        place += size
    if place != len(body):
        message = f"{len(body) - place:,} bytes follow the last tensor: send as many as `binary_data_size` says"
        raise RequestRefusedError("bad_request", message)
