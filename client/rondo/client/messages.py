"""Converts requests and outcomes to bytes, and dead letters to errors."""

from __future__ import annotations

import math
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import orjson
from pydantic import ValidationError

from rondo.client import event_times
from rondo.client.errors import PredictionRefusedError, RefusedError
from rondo.contracts.events.predictions import OutcomeObserved, PredictionRequested

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

_MEMBERS, _OTHER_TYPE = {"bool", "int", "float", "str"}, ("_type", "_parsing")
_REASON, _CODE = "__dlq.errors.message", "reason"


def request(
    model: str,
    features: Mapping[str, Any],
    id: str | None = None,  # noqa: A002 - as the contract calls it
    entity: str | None = None,
    event_time: datetime | None = None,
) -> PredictionRequested:
    """Return a request. Without `id` it gets a random one.

    Raises:
        RefusedError: the request violates the contract, a number is infinite, or `event_time` has no offset.

    """
    chosen, finite = id if id is not None else uuid4().hex, sendable(features)
    at = event_times.in_utc(event_time) if event_time is not None else None
    try:
        return PredictionRequested(model=model, id=chosen, entity=entity, event_time=at, features=finite)
    except ValidationError as error:
        raise _violation("request", error) from None


def sendable(features: Mapping[str, Any]) -> dict[str, Any]:
    """Return the features with None in place of NaN, which is a missing value.

    Raises:
        RefusedError: some numbers are infinite, which JSON can't represent. The error names all of them.

    """
    numbers = {name: v for name, v in features.items() if isinstance(v, Real) and not isinstance(v, Integral)}
    infinite = [
        f"{name} is {value}: send a finite number, or none where it is missing"
        for name, value in numbers.items()
        if math.isinf(value)
    ]
    if infinite:
        raise RefusedError("the request can't be sent:", infinite, "bad_request")
    return dict(features) | {name: None for name, value in numbers.items() if math.isnan(value)}


def encode_request(requested: PredictionRequested) -> bytes:
    """Return the request as JSON.

    Raises:
        RefusedError: a feature has a type that JSON lacks.

    """
    content: dict[str, Any] = {
        "id": requested.id,
        "model": requested.model,
        "features": sendable(requested.features),
    }
    content |= {"entity": requested.entity} if requested.entity is not None else {}
    content |= {"event_time": requested.event_time} if requested.event_time is not None else {}
    return encode(content)


def encode(content: Mapping[str, Any]) -> bytes:
    """Return the content as JSON. Numbers may be those of NumPy.

    Raises:
        RefusedError: a value has a type that JSON lacks.

    """
    try:
        return orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY)
    except orjson.JSONEncodeError as error:
        message = f"the features can't be written as JSON ({error}): use texts, numbers, true, false and None"
        raise RefusedError(message, code="not_encodable") from None


def outcome(
    model: str,
    value: float | str,
    event_time: datetime,
    id: str | None = None,  # noqa: A002 - as the contract calls it
    entity: str | None = None,
) -> OutcomeObserved:
    """Return an outcome that was known at `event_time`, for the prediction `id` or for `entity`.

    Raises:
        RefusedError: the outcome violates the contract or has neither id nor entity, or `event_time` has no offset or
            is in the future.

    """
    if id is None and entity is None:
        raise RefusedError(
            "an outcome names the prediction's id or its entity: give one of the two", code="bad_outcome"
        )
    known_at = event_times.known(event_time)
    try:
        return OutcomeObserved(model=model, id=id, entity=entity, outcome=value, event_time=known_at)
    except ValidationError as error:
        raise _violation("outcome", error) from None


def decode_refusal(request_id: str, headers: Iterable[tuple[str, bytes | None]]) -> PredictionRefusedError:
    """Return the reason in the headers of a dead letter."""
    texts = {name: (text or b"").decode(errors="replace") for name, text in headers}
    return PredictionRefusedError(request_id, texts.get(_REASON) or "no reason is given", texts.get(_CODE, "refused"))


def id_of(value: bytes | None) -> str | None:
    """Return the id in an answer or a dead letter, which may contain any bytes."""
    return _text_of(value, "id")


def model_of(value: bytes | None) -> str | None:
    return _text_of(value, "model")


def entity_of(value: bytes | None) -> str | None:
    return _text_of(value, "entity")


def _text_of(value: bytes | None, key: str) -> str | None:
    try:
        content = orjson.loads(value or b"")
    except orjson.JSONDecodeError:
        return None
    found = content.get(key) if isinstance(content, dict) else None
    return found if isinstance(found, str) else None


def _violation(what: str, error: ValidationError) -> RefusedError:
    # A union reports an error for each of its members, with a tag of the member as the last part of the location. The
    # member that accepts the type has the error of the value.
    by_field: dict[str, list[tuple[bool, str]]] = {}
    for fault in error.errors():
        names = [str(part) for part in fault["loc"]]
        is_member = names[-1] in _MEMBERS or names[-1].startswith("function-")
        field = ".".join(names[:-1] if is_member else names)
        by_field.setdefault(field, []).append((not fault["type"].endswith(_OTHER_TYPE), fault["msg"]))
    problems = [f"{field}: {max(faults, key=lambda fault: fault[0])[1]}" for field, faults in by_field.items()]
    return RefusedError(f"the {what} can't be sent:", problems, f"bad_{what}")
