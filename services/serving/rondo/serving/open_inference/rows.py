"""Converts the tensors of an inference request to rows. All checks except those of value ranges are here.

Errors name features as over Kafka, because a client may not know about tensors.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec

from rondo.contracts.figures import counted
from rondo.contracts.text import MAX_ID
from rondo.contracts.vocabularies import UnknownFields
from rondo.serving.errors import RequestRefusedError
from rondo.serving.open_inference.binary import MAX_ROWS
from rondo.serving.open_inference.names import ENTITY, EVENT_TIME, ID, described_name
from rondo.serving.open_inference.tensors import ACCEPTED, DATATYPES, row_count, shape_error, texts, values
from rondo.serving.requests import event_times
from rondo.serving.requests.feature_errors import expected, missing_feature, unknown_feature, value_error
from rondo.serving.requests.rows import SentRows
from rondo.serving.requests.suggestions import NameSuggester
from rondo.serving.requests.unknown_names import MAX_WARNINGS, UnknownName

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from rondo.contracts.spec.model import Feature
    from rondo.serving.open_inference.protocol import InferenceRequest, Tensor
    from rondo.serving.requests.schema import RequestSchema

    Tensors = Mapping[str, Tensor]

_NUMBER = frozenset((int, float))
_TYPES: dict[str, frozenset[type]] = {
    "category": frozenset((str,)), "float": _NUMBER, "int": _NUMBER, "bool": frozenset((bool,)),
}  # fmt: skip
# The datatypes and the types of valid values, by type of feature and by its key `optional`.
_FITTING = {
    (kind, optional): (ACCEPTED[DATATYPES[kind]], types | ({type(None)} if optional else frozenset()))
    for kind, types in _TYPES.items()
    for optional in (False, True)
}
_NAMES = {ID: None, ENTITY: None, EVENT_TIME: None}.keys()


@dataclass(frozen=True, slots=True)
class TensorSource:
    """The source of rows that were sent together. Error messages name the row."""

    values: Mapping[str, Sequence[Any]]

    def features(self, row: int) -> Mapping[str, Any]:
        return {name: column[row] for name, column in self.values.items()}

    def where(self, row: int) -> str:
        return f" at row {row}"


def rows(request: InferenceRequest, schema: RequestSchema, new_id: str) -> SentRows:
    """Convert tensors to rows. Rows without ids get `new_id`, with a number if there are several.

    Raises:
        RequestRefusedError: a tensor is missing, unknown or sent twice, or its datatype, shape or type of value does
            not fit its feature.

    """
    tensors = _by_name(request)
    features = schema.features
    count = _count(tensors, features)
    sent: dict[str, list[Any]] = {}
    shapes = ([count, 1], [count])
    for name, feature in features.items():
        accepted, allowed = _FITTING[feature.type, feature.optional]
        tensor = tensors.get(name)
        # The fast path for most tensors. `_values` handles the others, and finds their errors.
        if (
            tensor is not None
            and tensor.datatype in accepted
            and tensor.shape in shapes
            and len(tensor.data) == count
            and allowed.issuperset(map(type, tensor.data))
        ):
            sent[name] = tensor.data
        else:
            sent[name] = _values(name, feature, tensors, schema, count)
    if not schema.ignore_unknown and not tensors.keys() <= features.keys() | _NAMES:
        raise next(_unknown(request, schema))[1]
    if tensors.keys() <= features.keys():
        nothing = [None] * count
        return SentRows(numbered(new_id, count), nothing, nothing, sent, TensorSource(sent))
    of_features = _of_features(tensors, features)
    given = _names(tensors.get(ID), "bad_id", count, of_features)
    ids = [name or made for name, made in zip(given, numbered(new_id, count), strict=True)]
    entities = _names(tensors.get(ENTITY), "bad_entity", count, of_features)
    times = _times(tensors.get(EVENT_TIME), count, of_features)
    return SentRows(ids, entities, times, sent, TensorSource(sent))


def unknown_tensors(request: InferenceRequest, schema: RequestSchema) -> tuple[UnknownName, ...]:
    """Return the first few ignored tensors.

    With `ignore`, return only those with a name similar to a tensor of Rondo.
    """
    every = schema.unknown == UnknownFields.WARN
    found = (each for each in _unknown(request, schema) if every or each[1].facts.get("nearest") in _NAMES)
    return tuple(UnknownName(name, str(error)) for name, error in islice(found, MAX_WARNINGS))


def _unknown(request: InferenceRequest, schema: RequestSchema) -> Iterator[tuple[str, RequestRefusedError]]:
    # A client decides the number of tensors, and a search costs more than an answer.
    known, suggester = [*schema.features, *_NAMES], NameSuggester(MAX_WARNINGS)
    names = frozenset(known)
    for tensor in request.inputs:
        if tensor.name not in names:
            yield tensor.name, unknown_feature(tensor.name, known, suggester)


def _by_name(request: InferenceRequest) -> dict[str, Tensor]:
    tensors: dict[str, Tensor] = {}
    for tensor in request.inputs:
        if tensor.name in tensors:
            message = f"{described_name(tensor.name)} is sent twice: send one tensor with all rows"
            raise RequestRefusedError("duplicate_input", message)
        tensors[tensor.name] = tensor
    return tensors


def _of_features(tensors: Tensors, features: Mapping[str, Feature]) -> list[Tensor]:
    return [tensors[name] for name in features if name in tensors]


def _count(tensors: Tensors, features: Mapping[str, Feature]) -> int:
    """Return the number of rows of the first tensor of a feature, which `values` compares with the others."""
    sent = next((tensors[name] for name in features if name in tensors), None)
    if sent is None:
        wanted = ", ".join(f"{name} ({DATATYPES[f.type]})" for name, f in features.items())
        raise RequestRefusedError("missing_feature", f"no feature is sent: send one tensor for each of {wanted}")
    count = sent.shape[0] if sent.shape else 0
    if not 1 <= count <= MAX_ROWS:
        of_features = _of_features(tensors, features)
        if 1 <= (meant := row_count(of_features)) <= MAX_ROWS:
            raise shape_error(of_features, meant)
        message = f"{described_name(sent.name)} has {counted(count, 'row')}: send 1 to {MAX_ROWS:,} in one request"
        raise RequestRefusedError("bad_shape", message)
    return count


def _values(name: str, feature: Feature, tensors: Tensors, schema: RequestSchema, count: int) -> list[Any]:
    tensor = tensors.get(name)
    datatype = DATATYPES[feature.type]
    _, allowed = _FITTING[feature.type, feature.optional]
    if tensor is None:
        if feature.optional:
            return [None] * count
        unknown = tensors.keys() - schema.features.keys()
        how = f", in a {datatype} tensor of shape [{row_count(_of_features(tensors, schema.features))}, 1]"
        raise missing_feature(name, schema, unknown, NameSuggester(), how)
    found = values(tensor, count, datatype, partial(expected, feature), _of_features(tensors, schema.features))
    for row, value in enumerate(found):
        if type(value) not in allowed and (error := value_error(name, value, schema, f" at row {row}")):
            raise error
    return found


def _names(tensor: Tensor | None, code: str, count: int, of_features: Sequence[Tensor]) -> list[str | None]:
    if tensor is None:
        return [None] * count
    names = texts(tensor, count, of_features)
    for row, name in enumerate(names):
        if name is not None and not 1 <= len(name) <= MAX_ID:
            message = f"`{tensor.name}` at row {row} has {len(name):,} characters: send 1 to {MAX_ID}, or null"
            raise RequestRefusedError(code, message, row=row)
    return names


def numbered(name: str, count: int) -> list[str]:
    """Return the ids of rows without their own: the request's id, with a number if there are several rows."""
    if count == 1:
        return [name]
    # If the number makes the id longer than the limit of the request's id, a digest takes the id's place.
    stem = name if len(f"{name}/{count}") <= MAX_ID else sha256(name.encode()).hexdigest()
    return [f"{stem}/{row}" for row in range(count)]


def _times(tensor: Tensor | None, count: int, of_features: Sequence[Tensor]) -> list[datetime | None]:
    if tensor is None:
        return [None] * count
    try:
        return [msgspec.convert(value, event_times.Time | None) for value in texts(tensor, count, of_features)]
    except msgspec.ValidationError as error:
        message = f"`{EVENT_TIME}` holds what is not an RFC 3339 time with an offset ({error}): {event_times.EXPECTED}"
        raise RequestRefusedError("bad_event_time", message) from None
