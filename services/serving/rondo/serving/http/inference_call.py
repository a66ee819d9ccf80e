"""One inference over HTTP: its body to rows, and what the versions gave to the body of its response."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self
from uuid import uuid4

from rondo.serving.errors import RequestRefusedError
from rondo.serving.http.v2 import protocol, response
from rondo.serving.http.v2 import rows as request_rows

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from rondo.serving.inference.batcher import Answered
    from rondo.serving.models.loaded_version import LoadedVersion, ServedModel
    from rondo.serving.models.serving_table import ServingTable
    from rondo.serving.requests.rows import SentRows


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
        sent = protocol.decode(body)
        requested = sent.requested_outputs(response.names(served.outputs))
        request_id = sent.id or str(uuid4())
        return cls(served, pinned, request_id, request_rows.rows(sent, served.schema, request_id), requested)

    def encode(self, answered: Sequence[Answered]) -> bytes:
        """Return the body of the response."""
        return response.answer(self.served, self.request_id, self.rows.ids, answered, self.requested)


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
