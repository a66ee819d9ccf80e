"""Parses a micro-batch of JSON requests: all at once, and one by one only if that fails.

Each value is decoded by itself, never joined with its neighbours, so no request can reach into the row of another.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, cast

import msgspec

from rondo.contracts.events.predictions import MAX_REQUEST_BYTES
from rondo.serving.errors import RequestRefusedError
from rondo.serving.requests.request_errors import explain
from rondo.serving.requests.suggestions import NameSuggester

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rondo.serving.requests.schema import Request, RequestSchema

_UNREADABLE = (msgspec.MsgspecError, UnicodeError, RecursionError, TypeError, ValueError)


@dataclass(frozen=True, slots=True)
class ParsedRequests:
    """Per schema the requests with their places in the micro-batch, and the errors of the others, by place."""

    groups: tuple[tuple[RequestSchema, list[int], list[Request]], ...]
    refused: dict[int, RequestRefusedError]


class RequestParser:
    """Parses the requests of some models.

    `unserved` are the models that a deployment names and nothing serves here, with the reason as a sentence.
    """

    def __init__(self, schemas: Iterable[RequestSchema], unserved: Mapping[str, str] | None = None) -> None:
        self.schemas = {schema.model: schema for schema in schemas}
        self._unserved = {} if unserved is None else unserved
        self._by_class = {schema.request: schema for schema in self.schemas.values()}
        self._decoder = _decoder(tuple(self._by_class))

    def parse(self, values: Sequence[bytes | None]) -> ParsedRequests:
        """Parse a micro-batch. Never raises, whatever the bytes are."""
        if self._decoder is None or max(map(_size, values), default=0) > MAX_REQUEST_BYTES:
            return self._parse_each(values)
        try:
            requests = list(map(self._decoder.decode, cast("Sequence[bytes]", values)))  # None raises TypeError
        except _UNREADABLE:
            return self._parse_each(values)
        return ParsedRequests(self._grouped(range(len(requests)), requests), {})

    def _parse_each(self, values: Sequence[bytes | None]) -> ParsedRequests:
        places, requests, refused, suggester = [], [], {}, NameSuggester()
        for place, value in enumerate(values):
            request = self._parse_one(value, suggester)
            if isinstance(request, RequestRefusedError):
                refused[place] = request
            else:
                places.append(place)
                requests.append(request)
        return ParsedRequests(self._grouped(places, requests), refused)

    def _parse_one(self, value: bytes | None, suggester: NameSuggester) -> Request | RequestRefusedError:
        detail = ""
        if self._decoder is not None and value is not None and len(value) <= MAX_REQUEST_BYTES:
            try:
                return self._decoder.decode(value)
            except _UNREADABLE as error:
                detail = str(error)
        return explain(value, self.schemas, self._unserved, suggester, detail)

    def _grouped(
        self, places: Sequence[int], requests: list[Request]
    ) -> tuple[tuple[RequestSchema, list[int], list[Request]], ...]:
        if len(self._by_class) == 1 and requests:
            return ((next(iter(self._by_class.values())), list(places), requests),)
        groups: dict[Any, tuple[list[int], list[Request]]] = {}
        for place, request in zip(places, requests, strict=True):
            members = groups.setdefault(type(request), ([], []))
            members[0].append(place)
            members[1].append(request)
        return tuple((self._by_class[kind], mine, members) for kind, (mine, members) in groups.items())


def _size(value: bytes | None) -> int:
    return len(value) if value is not None else 0


class _NeverValid(msgspec.Struct, tag_field="model", tag=""):
    """A request that nothing is: msgspec ignores a missing tag unless it has several classes to choose from."""

    id: Annotated[int, msgspec.Meta(ge=1, le=0)]


def _decoder(classes: tuple[Any, ...]) -> msgspec.json.Decoder[Any] | None:
    if not classes:
        return None
    union: Any = _NeverValid
    for each in classes:
        union |= each
    return msgspec.json.Decoder(union)
