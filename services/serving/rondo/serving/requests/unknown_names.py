"""Unknown names in a request that its model still answers, and the warnings about them.

With `warn`, requests are decoded as if they had no unknown names, and only requests that fail are searched for them.
With `ignore`, only a sample of the requests is searched, for names that are similar to a known field.
"""

from __future__ import annotations

import logging
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from rondo.contracts.vocabularies import UnknownFields
from rondo.serving import metrics
from rondo.serving.requests.feature_errors import unknown_feature
from rondo.serving.requests.request_errors import FIELDS, unknown_field

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rondo.serving.requests.schema import RequestSchema
    from rondo.serving.requests.suggestions import NameSuggester

log = logging.getLogger(__name__)
MAX_WARNINGS = 5
# Clients choose the names, so at most this many names are logged.
_MAX_LOGGED = 1_000
_LOGGED: set[tuple[str, str]] = set()


class UnknownName(NamedTuple):
    """An ignored name, and the sentence about it."""

    name: str
    warning: str


def unknown_names(value: bytes | None, schema: RequestSchema, suggester: NameSuggester) -> tuple[UnknownName, ...]:
    """Return the first few ignored names of a valid request. Fields come before features.

    If the spec says `ignore`, return only fields that are similar to a known field. Return an empty tuple if the
    ignored part can't be decoded.
    """
    try:
        content = msgspec.json.decode(value or b"")
    except (msgspec.MsgspecError, UnicodeError, RecursionError, ValueError):
        return ()
    return tuple(islice(_unknown(content, schema, suggester), MAX_WARNINGS))


def _unknown(content: Any, schema: RequestSchema, suggester: NameSuggester) -> Iterator[UnknownName]:
    for name in content:
        if name not in FIELDS:
            error = unknown_field(name, schema, suggester)
            if schema.unknown == UnknownFields.WARN or "nearest" in error.facts:
                yield UnknownName(name, str(error))
    if schema.unknown == UnknownFields.WARN:
        known = list(schema.features)
        for name in content["features"]:
            if name not in schema.features:
                yield UnknownName(name, str(unknown_feature(name, known, suggester)))


def with_warnings(answer: bytes, found: Iterable[UnknownName]) -> bytes:
    """Return an answer, a JSON object, with the warnings about its request."""
    return answer[:-1] + b',"warnings":' + msgspec.json.encode([each.warning for each in found]) + b"}"


def report_unknown(model: str, found: Iterable[UnknownName]) -> None:
    """Count a request to a model with these names. Log each name once per process."""
    metrics.UNKNOWN_NAMES.labels(model).inc()
    for each in found:
        key = (model, each.name[:60])
        if key not in _LOGGED and len(_LOGGED) < _MAX_LOGGED:
            _LOGGED.add(key)
            log.warning("a request to %s is answered, but: %s", model, each.warning, extra={"model": model})
