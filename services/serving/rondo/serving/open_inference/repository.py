"""The model repository extension. The registry decides what serves, so clients can only read the repository."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from rondo.serving.errors import RequestRefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rondo.serving.models.serving_table import ServingTable


class IndexRequest(msgspec.Struct):
    """The body of a request for the index. Other members are ignored."""

    ready: bool = False


_decoder = msgspec.json.Decoder(IndexRequest)
READY, UNAVAILABLE = "READY", "UNAVAILABLE"


@dataclass(frozen=True, slots=True)
class Entry:
    """A version of a model, or a model that is not served here, with the reason."""

    name: str
    version: str
    state: str
    reason: str = ""


def decode_index(body: bytes) -> IndexRequest:
    """Decode the body of a request for the index. It may be empty.

    Raises:
        RequestRefusedError: the body does not have this form.

    """
    try:
        return _decoder.decode(body or b"{}")
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise RequestRefusedError("bad_request", f'the body does not fit ({error}): send {{"ready": true}}') from None


def index(table: ServingTable, *, ready_only: bool = False) -> Iterator[Entry]:
    """Yield the versions that answer.

    Unless `ready_only`, also yield models with a deployment that are not served here.
    """
    for name, served in sorted(table.models.items()):
        for version in served.answering:
            yield Entry(name, str(version.model_version), READY)
    if not ready_only:
        for name, reason in sorted(table.unserved.items()):
            if name not in table.models:
                yield Entry(name, "", UNAVAILABLE, reason)


def load(table: ServingTable, model: str) -> None:
    """Confirm that a model is loaded.

    Raises:
        RequestRefusedError: the model is not loaded.

    """
    table.find(model)


def unload(table: ServingTable, model: str) -> None:
    """Refuse to unload a model.

    Raises:
        RequestRefusedError: always.

    """
    served = table.find(model)
    raise RequestRefusedError(
        "not_allowed",
        f"{served.model} stays loaded, for the registry decides what serves: `rondo remove {served.model}` ends it",
        served.model,
    )
