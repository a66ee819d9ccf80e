"""One inference of the Open Inference Protocol: converts its request to rows, and the results to its response."""

from __future__ import annotations

import random
import secrets
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

from rondo.serving.errors import RequestRefusedError
from rondo.serving.open_inference import protocol, response
from rondo.serving.open_inference import rows as request_rows
from rondo.serving.open_inference.compiled_decoder import compiled_decoder
from rondo.serving.open_inference.response import InferenceResponse
from rondo.serving.requests.rows import SentRows
from rondo.serving.requests.unknown_names import report_unknown

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from rondo.serving.inference.batcher import Answered
    from rondo.serving.models.loaded_version import LoadedVersion, ServedModel
    from rondo.serving.models.serving_table import ServingTable
    from rondo.serving.open_inference.protocol import InferenceRequest
    from rondo.serving.outputs.schema import OutputSchema
    from rondo.serving.requests.unknown_names import UnknownName


_RANDOM = random.Random(secrets.randbits(256))  # noqa: S311 - ids are no secrets


@dataclass(frozen=True, slots=True)
class InferenceCall:
    """The rows of a request, and the outputs of its response, of which some are sent as raw contents.

    `pinned` is the version that the request names. `timeout` is in seconds. `unknown` are the ignored tensors.
    """

    served: ServedModel
    pinned: LoadedVersion | None
    request_id: str
    rows: SentRows
    requested: Collection[str]
    binary: Collection[str] = ()
    timeout: float | None = None
    unknown: Sequence[UnknownName] = ()

    @classmethod
    def decode(
        cls, table: ServingTable, model: str, version: str | None, body: bytes, header: int | None = None
    ) -> Self:
        """Decode the body of a request over HTTP to a model, or to one of its versions.

        `header` is the number of JSON bytes if raw contents follow.

        Raises:
            RequestRefusedError: the model or version is not served here, or the body is not a valid request to it.

        """
        served, pinned = find(table, model, version)
        decoded = compiled_decoder(served.schema).decode(body) if header is None else None
        if decoded is None:
            return cls._of(served, pinned, protocol.decode(body, header))
        request_id = decoded.request.id or _new_id()
        requested = decoded.request.requested_outputs(response.names(served.outputs))
        binary = decoded.request.binary_outputs(requested)
        rows = decoded.rows(request_id)
        return cls(served, pinned, request_id, rows, requested, binary, decoded.request.seconds)

    @classmethod
    def of(
        cls,
        table: ServingTable,
        model: str,
        version: str | None,
        sent: InferenceRequest,
        names: Callable[[OutputSchema], tuple[str, ...]] = response.names,
    ) -> Self:
        """Build the call of a decoded request. `names` returns the outputs that the request may ask for.

        Raises:
            RequestRefusedError: the model or version is not served here, or the request is not valid for it.

        """
        return cls._of(*find(table, model, version), sent, names)

    @classmethod
    def of_values(
        cls,
        served: ServedModel,
        pinned: LoadedVersion | None,
        request_id: str | None,
        values: Mapping[str, Sequence[Any]],
        count: int,
    ) -> Self:
        """Build the call from valid values of N rows by feature, in the order of the signature.

        All outputs are sent.
        """
        request_id, nothing = request_id or _new_id(), [None] * count
        ids, source = request_rows.numbered(request_id, count), request_rows.TensorSource(values)
        rows = SentRows(ids, nothing, nothing, values, source)
        return cls(served, pinned, request_id, rows, response.names(served.outputs))

    @classmethod
    def _of(
        cls,
        served: ServedModel,
        pinned: LoadedVersion | None,
        sent: InferenceRequest,
        names: Callable[[OutputSchema], tuple[str, ...]] = response.names,
    ) -> Self:
        requested = sent.requested_outputs(names(served.outputs))
        request_id = sent.id or _new_id()
        rows = request_rows.rows(sent, served.schema, request_id)
        unknown = request_rows.unknown_tensors(sent, served.schema) if served.schema.ignore_unknown else ()
        return cls(served, pinned, request_id, rows, requested, sent.binary_outputs(requested), sent.seconds, unknown)

    def respond(self, answered: Sequence[Answered]) -> InferenceResponse:
        found = InferenceResponse.of(self.served, self.request_id, self.rows.ids, answered, self.requested)
        return replace(found, warnings=self.warnings()) if self.unknown else found

    def warnings(self) -> list[str]:
        """Return a sentence about each ignored name, and count and log the names. Empty if there are none."""
        if self.unknown:
            report_unknown(self.served.model, self.unknown)
        return [each.warning for each in self.unknown]

    def encode(self, answered: Sequence[Answered]) -> bytes:
        """Return the response as JSON, without raw contents."""
        return self.respond(answered).as_json()


def _new_id() -> str:
    """Return 128 random bits in the form of a UUID, without a system call for each."""
    return f"{_RANDOM.getrandbits(128):032x}"


def find(table: ServingTable, model: str, version: str | None) -> tuple[ServedModel, LoadedVersion | None]:
    """Return a served model, and its version with this number if a number is given.

    Raises:
        RequestRefusedError: the model or version is not served here.

    """
    served = table.find(model)
    if version is None:
        return served, None
    for each in served.answering:
        if str(each.model_version) == version:
            return served, each
    numbers = ", ".join(str(each.model_version) for each in served.answering)
    message = f"{model} is served by version {numbers}, not {version[:20]}: ask for that one, or name no version"
    raise RequestRefusedError("unknown_version", message, model)
