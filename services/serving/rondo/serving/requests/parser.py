"""Parses a micro-batch of JSON requests to rows: many at once, and one by one only if that fails.

Each value is decoded separately, never concatenated with others, so no request can affect the row of another. Requests
are converted to columns a few hundred at a time, while their decoded values are in the processor's cache. The
conversion of 4,000 at once took 1.5 times as long (measured).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, cast

import msgspec

from rondo.contracts.events.predictions import MAX_REQUEST_BYTES
from rondo.contracts.vocabularies import UnknownFields
from rondo.serving.errors import RequestRefusedError
from rondo.serving.requests.request_errors import explain
from rondo.serving.requests.suggestions import NameSuggester
from rondo.serving.requests.unknown_names import unknown_names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from rondo.serving.requests.rows import Rows
    from rondo.serving.requests.schema import Request, RequestSchema
    from rondo.serving.requests.unknown_names import UnknownName

_UNREADABLE = (msgspec.MsgspecError, UnicodeError, RecursionError, TypeError, ValueError)
_CHUNK = 256


class RequestGroup(NamedTuple):
    """The requests to one model: their places in the micro-batch, and their rows."""

    schema: RequestSchema
    places: Sequence[int]
    rows: Rows


@dataclass(frozen=True, slots=True)
class ParsedRequests:
    """Requests by model, errors of the other requests by place, and ignored `unknown` names by place."""

    groups: Sequence[RequestGroup]
    refused: dict[int, RequestRefusedError]
    unknown: Mapping[int, Sequence[UnknownName]] = field(default_factory=dict)


class RequestParser:
    """Parses the requests of some models.

    `unserved` are the models with a deployment that are not served here, with the reason as a sentence.
    """

    def __init__(self, schemas: Iterable[RequestSchema], unserved: Mapping[str, str] | None = None) -> None:
        self.schemas = {schema.model: schema for schema in schemas}
        self._unserved = {} if unserved is None else unserved
        self._by_class = {schema.request: schema for schema in self.schemas.values()}
        self._decoder = _decoder(tuple(self._by_class))
        # The decoders of models that warn, which accept requests that `_decoder` refuses.
        self._warning = {schema.tolerant: schema for schema in self.schemas.values() if schema.tolerant is not None}
        self._tolerant = _decoder(tuple(self._warning))
        self._by_class |= self._warning
        self._sampled = {schema.model for schema in self.schemas.values() if schema.unknown == UnknownFields.IGNORE}

    def parse(self, values: Sequence[bytes | None]) -> ParsedRequests:
        """Parse a micro-batch. The method raises no error for any bytes."""
        found: dict[RequestSchema, tuple[_Sent, list[Rows]]] = {}
        refused: dict[int, RequestRefusedError] = {}
        unknown: dict[int, Sequence[UnknownName]] = {}
        suggester = NameSuggester()
        for start in range(0, len(values), _CHUNK):
            chunk = values[start : start + _CHUNK]
            places: Sequence[int] = range(start, start + len(chunk))
            if (requests := self._decode(chunk)) is None:
                read = {place: self._parse_one(value, suggester) for place, value in zip(places, chunk, strict=True)}
                refused |= {place: each for place, each in read.items() if isinstance(each, RequestRefusedError)}
                places = [place for place in places if place not in refused]
                requests = [read[place] for place in places]
                for place, request in zip(places, requests, strict=True):
                    if (schema := self._warning.get(type(request))) is not None:
                        unknown[place] = unknown_names(values[place], schema, suggester)
            if self._sampled and requests:
                sampled, place = self._by_class[type(requests[0])], places[0]
                if sampled.model in self._sampled and (names := unknown_names(values[place], sampled, suggester)):
                    unknown[place] = names
            for schema, mine, members in self._grouped(places, requests):
                sent, parts = found.setdefault(schema, (_Sent(schema, [], values, self._decode_again), []))
                sent.places.extend(mine)
                parts.append(schema.rows(members, sent))
        groups = [RequestGroup(schema, sent.places, schema.joined(parts)) for schema, (sent, parts) in found.items()]
        return ParsedRequests(groups, refused, unknown)

    def _decode(self, values: Sequence[bytes | None]) -> list[Request] | None:
        """Return the requests. None if one of them can't be decoded."""
        if self._decoder is None or max(map(_size, values)) > MAX_REQUEST_BYTES:
            return None
        try:
            return list(map(self._decoder.decode, cast("Sequence[bytes]", values)))  # None raises TypeError
        except _UNREADABLE:
            return None

    def _parse_one(self, value: bytes | None, suggester: NameSuggester) -> Request | RequestRefusedError:
        detail = ""
        if self._decoder is not None and value is not None and len(value) <= MAX_REQUEST_BYTES:
            try:
                return self._decode_again(value)
            except _UNREADABLE as error:
                detail = str(error)
        return explain(value, self.schemas, self._unserved, suggester, detail)

    def _decode_again(self, value: bytes | None) -> Request:
        """Decode one request. If its model warns of unknown names, a request with them is accepted, too."""
        assert self._decoder is not None  # noqa: S101 - for the type checker
        assert value is not None  # noqa: S101
        if self._tolerant is None:
            return self._decoder.decode(value)
        try:
            return self._decoder.decode(value)
        except _UNREADABLE as error:
            try:
                return self._tolerant.decode(value)
            except _UNREADABLE:
                raise error from None  # `_decoder` knows the other models, too

    def _grouped(
        self, places: Sequence[int], requests: list[Request]
    ) -> Iterable[tuple[RequestSchema, Sequence[int], list[Request]]]:
        if len(self._by_class) == 1 and requests:
            return ((next(iter(self._by_class.values())), places, requests),)
        groups: dict[RequestSchema, tuple[list[int], list[Request]]] = {}
        for place, request in zip(places, requests, strict=True):
            members = groups.setdefault(self._by_class[type(request)], ([], []))
            members[0].append(place)
            members[1].append(request)
        return ((schema, mine, members) for schema, (mine, members) in groups.items())


@dataclass(frozen=True, slots=True)
class _Sent:
    """The source of rows that were one request each, so error messages need no row number.

    Decoded values are not kept. A message about a value decodes the request again.
    """

    schema: RequestSchema
    places: list[int]
    values: Sequence[bytes | None]
    decode: Callable[[bytes | None], Request]

    def features(self, row: int) -> Mapping[str, Any]:
        return self.schema.values(self.decode(self.values[self.places[row]]))

    def where(self, _: int) -> str:
        return ""


def _size(value: bytes | None) -> int:
    return len(value) if value is not None else 0


class _NeverValid(msgspec.Struct, tag_field="model", tag=""):
    """A request class that no request fits.

    msgspec checks for a missing tag only if it has several classes to choose from.
    """

    id: Annotated[int, msgspec.Meta(ge=1, le=0)]


def _decoder(classes: tuple[Any, ...]) -> msgspec.json.Decoder[Any] | None:
    if not classes:
        return None
    union: Any = _NeverValid
    for each in classes:
        union |= each
    return msgspec.json.Decoder(union)
