"""One inference over HTTP: its body to rows, and what the versions gave to the body of its response."""

from __future__ import annotations

import random
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from rondo.serving.errors import RequestRefusedError
from rondo.serving.http.v2 import protocol, response
from rondo.serving.http.v2 import rows as request_rows
from rondo.serving.http.v2.usual import usual_requests

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from rondo.serving.inference.batcher import Answered
    from rondo.serving.models.loaded_version import LoadedVersion, ServedModel
    from rondo.serving.models.serving_table import ServingTable
    from rondo.serving.requests.rows import SentRows


_RANDOM = random.Random(secrets.randbits(256))  # noqa: S311 - ids are no secrets


@dataclass(frozen=True, slots=True)
class InferenceCall:
    """The rows of a request, and the outputs that its response has. `pinned` is the version that its path names."""

    served: ServedModel
    pinned: LoadedVersion | None
    request_id: str
    rows: SentRows
    requested: Collection[str]

    @classmethod
    def decode(cls, table: ServingTable, model: str, version: str | None, body: bytes) -> Self:
        """Decode a request to a model, or to one of its versions.

        Raises:
            RequestRefusedError: nothing serves that, or the body is not a request to it.

        """
        served, pinned = find(table, model, version)
        usual = usual_requests(served.schema).decode(body)
        sent = protocol.decode(body) if usual is None else usual.request
        requested = sent.requested_outputs(response.names(served.outputs))
        request_id = sent.id or _new_id()
        rows = request_rows.rows(sent, served.schema, request_id) if usual is None else usual.rows(request_id)
        return cls(served, pinned, request_id, rows, requested)

    def encode(self, answered: Sequence[Answered]) -> bytes:
        """Return the body of the response."""
        return response.answer(self.served, self.request_id, self.rows.ids, answered, self.requested)


def _new_id() -> str:
    """Return 128 random bits, as a UUID has, without a system call for each."""
    return f"{_RANDOM.getrandbits(128):032x}"


def find(table: ServingTable, model: str, version: str | None) -> tuple[ServedModel, LoadedVersion | None]:
    """Return a served model, and its version of this number if one is named.

    Raises:
        RequestRefusedError: nothing serves it.

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
