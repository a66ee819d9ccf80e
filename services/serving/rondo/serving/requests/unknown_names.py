"""Names in a request that nothing knows, where its model answers it all the same: the warnings about them.

With `warn` a request is decoded as one that has none, and only those that fail are looked at. With `ignore` nothing is
known of most requests: a sample of them is looked at for names that resemble one of the request's own.
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
# Clients choose the names: of so many a line is logged.
_MAX_LOGGED = 1_000
_LOGGED: set[tuple[str, str]] = set()


class UnknownName(NamedTuple):
    """A name that is ignored, and the sentence about it."""

    name: str
    warning: str


def unknown_names(value: bytes | None, schema: RequestSchema, suggester: NameSuggester) -> tuple[UnknownName, ...]:
    """Return the first few names of a valid request that its model ignores, the ones beside `features` first.

    Where the spec says `ignore`, only those beside `features` that resemble a known one. None if what is ignored in it
    can't be read.
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
    """Count a request to a model that has these names, and log each name once in the life of the process."""
    metrics.UNKNOWN_NAMES.labels(model).inc()
    for each in found:
        key = (model, each.name[:60])
        if key not in _LOGGED and len(_LOGGED) < _MAX_LOGGED:
            _LOGGED.add(key)
            log.warning("a request to %s is answered, but: %s", model, each.warning, extra={"model": model})
