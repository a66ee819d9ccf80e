"""What is wrong with the features of a request, as sentences: the first few, for none needs all of a hundred."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from rondo.serving.errors import RequestRefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rondo.contracts.spec import Feature
    from rondo.serving.hints import Hints

_MAX_FAULTS = 5
_SHOWN = 60
_LARGEST = float(np.finfo(np.float32).max)
_WANTED = {
    "category": 'a text, such as "AA"',
    "float": "a number, such as 12.5",
    "int": "a whole number, such as 12",
    "bool": "true or false",
}


def features_refusal(sent: dict[str, Any], features: Mapping[str, Feature], hints: Hints) -> RequestRefusedError | None:
    """Say what is wrong with the values of a JSON object, or None."""
    found = list(islice(_faults(sent, features, hints), _MAX_FAULTS + 1))
    if not found:
        return None
    shown = "; ".join(message for _, message in found[:_MAX_FAULTS])
    return RequestRefusedError(found[0][0], f"{shown}; and more" if len(found) > _MAX_FAULTS else shown)


def _faults(sent: dict[str, Any], features: Mapping[str, Feature], hints: Hints) -> Iterator[tuple[str, str]]:
    unknown: frozenset[str] | None = None
    for name, feature in features.items():
        wanted = _WANTED[feature.type]
        if name not in sent:
            if not feature.optional:
                unknown = frozenset(sent.keys() - features.keys()) if unknown is None else unknown
                close = hints.closest(name, unknown)
                renamed = f" (there is a `{close}`, which the model does not know)" if close else ""
                yield "missing_feature", f"the feature `{name}` is missing{renamed}: send {wanted}"
        elif sent[name] is None:
            if not feature.optional:
                yield "missing_feature", f"the feature `{name}` is null, and it may not be missing: send {wanted}"
        elif not _fits(sent[name], feature):
            yield "wrong_type", f"the feature `{name}` is {kind(sent[name])}: send {wanted}"
        elif feature.type in ("float", "int") and abs(sent[name]) > _LARGEST:
            yield "not_finite", f"the feature `{name}` is infinite as a 32-bit float: send {wanted}"


def _fits(value: object, feature: Feature) -> bool:
    if feature.type == "category":
        return isinstance(value, str)
    if feature.type == "bool":
        return isinstance(value, bool)
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    return feature.type == "float" or isinstance(value, int) or value.is_integer()


def kind(value: object) -> str:
    """Name what was sent, in a few words whatever its size and depth."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int | float):
        return f"the number {value}" if abs(value) < _LARGEST else "a number past all bounds"
    if isinstance(value, str):
        return f"the text {quoted(value)}"
    return "a list" if isinstance(value, list) else "an object"


def quoted(text: str) -> str:
    """Return a text in quotes, or its beginning where it is long."""
    shown = repr(text[:_SHOWN])
    return shown if len(text) <= _SHOWN and len(shown) <= _SHOWN else f"{shown[: _SHOWN - 3]}..."
