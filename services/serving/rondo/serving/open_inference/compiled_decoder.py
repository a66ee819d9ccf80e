"""Decodes bodies of inference requests with a decoder that msgspec compiles for the features of a model.

It accepts a body with exactly one tensor for each feature, and checks names, datatypes and types of values during
parsing. This takes half the time of `protocol` and `rows`, which decode all other bodies and find their errors.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache, reduce
from operator import or_
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec

from rondo.contracts.text import MAX_ID
from rondo.serving.open_inference import protocol
from rondo.serving.open_inference import rows as request_rows
from rondo.serving.open_inference.binary import MAX_ROWS
from rondo.serving.open_inference.tensors import ACCEPTED, DATATYPES
from rondo.serving.requests.rows import SentRows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rondo.contracts.spec.model import Feature
    from rondo.serving.requests.rows import Source
    from rondo.serving.requests.schema import RequestSchema

# Types that are composed at run time.
_LIST: Any = list
_LITERAL: Any = Literal
_VALUES: dict[str, Any] = {"category": str, "float": float, "int": float, "bool": bool}
_Id = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_ID)]
# The number of models, with a few entries for each while its versions change.
_MAX_DECODERS = 256


@dataclass(slots=True)
class _Source:
    """The source of rows. It keeps their body, which is decoded again if errors need an explanation."""

    body: bytes
    schema: RequestSchema
    # A request may have as many errors as rows, and each error needs its row.
    source: Source | None = field(default=None, init=False)

    def features(self, row: int) -> Mapping[str, Any]:
        return self._decoded().features(row)

    def where(self, row: int) -> str:
        return self._decoded().where(row)

    def _decoded(self) -> Source:
        if self.source is None:
            self.source = request_rows.rows(protocol.decode(self.body), self.schema, "").source
        return self.source


@dataclass(frozen=True, slots=True)
class DecodedRequest:
    """A request with one tensor for each feature, and the values of its N rows by feature."""

    request: protocol.InferenceRequest
    values: Mapping[str, Sequence[Any]]
    count: int
    source: Source

    def rows(self, new_id: str) -> SentRows:
        """Return the rows, with ids from `new_id`."""
        nothing = [None] * self.count
        return SentRows(request_rows.numbered(new_id, self.count), nothing, nothing, self.values, self.source)


class CompiledDecoder:
    """A JSON decoder with a type of its own for the tensor of each feature, so a valid request needs no other check."""

    def __init__(self, schema: RequestSchema) -> None:
        self._schema, self._names = schema, list(schema.features)
        self._kinds = [_tensor(number, *feature) for number, feature in enumerate(schema.features.items())]
        self._places = {kind: place for place, kind in enumerate(self._kinds)}
        fields: list[Any] = [("inputs", _LIST[reduce(or_, self._kinds)]), ("id", _Id | None, None)]
        request = msgspec.defstruct("Request", fields, bases=(protocol.InferenceRequest,), forbid_unknown_fields=True)
        self._decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(request)

    def decode(self, body: bytes) -> DecodedRequest | None:
        """Return a request. None unless the body has exactly one valid tensor for each feature."""
        try:
            request = self._decoder.decode(body)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            return None
        inputs = request.inputs
        if list(map(type, inputs)) != self._kinds:
            inputs = sorted(inputs, key=lambda tensor: self._places[type(tensor)])
            if list(map(type, inputs)) != self._kinds:  # a feature is missing or sent twice
                return None
        columns, shapes = [tensor.data for tensor in inputs], [tensor.shape for tensor in inputs]
        count = len(columns[0])
        same = shapes.count(shapes[0]) == len(shapes) and set(map(len, columns)) == {count}
        if not same or shapes[0] not in ([count, 1], [count]) or not 1 <= count <= MAX_ROWS:
            return None
        values = dict(zip(self._names, columns, strict=True))
        return DecodedRequest(request, values, count, _Source(body, self._schema))


@lru_cache(_MAX_DECODERS)
def compiled_decoder(schema: RequestSchema) -> CompiledDecoder:
    return CompiledDecoder(schema)


def _tensor(number: int, name: str, feature: Feature) -> type[msgspec.Struct]:
    datatypes = _LITERAL[tuple(sorted(ACCEPTED[DATATYPES[feature.type]]))]
    kind = _VALUES[feature.type]
    fields: list[Any] = [
        ("datatype", datatypes), ("shape", list[int]), ("data", _LIST[kind | None if feature.optional else kind]),
    ]  # fmt: skip
    return msgspec.defstruct(
        f"Tensor{number}", fields, tag_field="name", tag=name, forbid_unknown_fields=True, gc=False
    )
