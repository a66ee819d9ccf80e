"""What is wrong with the features of a request, as sentences: the first few, for none needs all of a hundred."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from rondo.contracts.spec.data import LARGEST_FLOAT32
from rondo.serving.errors import RequestRefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rondo.contracts.spec.model import Feature
    from rondo.serving.requests.schema import Layout
    from rondo.serving.requests.suggestions import Hints

    Fault = tuple[str, str]

_MAX_FAULTS = 5
_SHOWN = 60
_LISTED, _LISTED_LENGTH = 20, 200
_WANTED = {
    "category": 'a text, such as "AA"',
    "float": "a number, such as 12.5",
    "int": "a whole number, such as 12",
    "bool": "true or false",
}


def features_refusal(sent: dict[str, Any], layout: Layout, hints: Hints) -> RequestRefusedError | None:
    """Say what is wrong with the values of a JSON object, or None."""
    found = list(islice(_faults(sent, layout, hints), _MAX_FAULTS + 1))
    if not found:
        return None
    shown = "; ".join(message for _, message in found[:_MAX_FAULTS])
    return RequestRefusedError(found[0][0], f"{shown}; and more" if len(found) > _MAX_FAULTS else shown)


def _faults(sent: dict[str, Any], layout: Layout, hints: Hints) -> Iterator[Fault]:
    unknown: frozenset[str] | None = None
    for name, feature in layout.features.items():
        if name in sent:
            if (fault := value_fault(name, sent[name], layout)) is not None:
                yield fault
        elif not feature.optional:
            unknown = frozenset(sent.keys() - layout.features.keys()) if unknown is None else unknown
            yield missing(name, feature, unknown, hints)


def missing(name: str, feature: Feature, unknown: frozenset[str], hints: Hints) -> Fault:
    """Say that a feature is missing; `unknown` are the names that were sent and are no features."""
    close = hints.closest(name, unknown)
    renamed = f" (there is a `{close}`, which the model does not know)" if close else ""
    return "missing_feature", f"the feature `{name}` is missing{renamed}: send {wanted(feature)}"


def value_fault(name: str, value: Any, layout: Layout, where: str = "") -> Fault | None:
    """Say what is wrong with one value, or None; `where` tells it apart from others, such as ` at row 3`."""
    feature, what = layout.features[name], f"the feature `{name}`{where}"
    if value is None:
        message = f"{what} is null, and it may not be missing: send {wanted(feature)}"
        return None if feature.optional else ("missing_feature", message)
    if not _fits(value, feature):
        return "wrong_type", f"{what} is {kind(value)}: send {wanted(feature)}"
    if not isinstance(value, str) and abs(value) > LARGEST_FLOAT32:
        return "not_finite", f"{what} is infinite as a 32-bit float: send {wanted(feature)}"
    if not layout.limits[name].allow(value):
        code = "not_listed" if isinstance(value, str) else "out_of_range"
        return code, f"{what} is {kind(value)}: send {wanted(feature)}"
    return None


def _fits(value: object, feature: Feature) -> bool:
    if feature.type == "category":
        return isinstance(value, str)
    if feature.type == "bool":
        return isinstance(value, bool)
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    return feature.type == "float" or isinstance(value, int) or value.is_integer()


def wanted(feature: Feature) -> str:
    """Say what values a feature takes."""
    if feature.values:
        return _listed(feature.values)
    low, high = (None if bound is None else f"{bound:.15g}" for bound in (feature.min, feature.max))
    if feature.type == "bool" or (low is None and high is None):
        return _WANTED[feature.type]
    what = "a number" if feature.type == "float" else "a whole number"
    if low is None:
        return f"{what} of at most {high}"
    return f"{what} of at least {low}" if high is None else f"{what} from {low} to {high}"


def _listed(values: tuple[str, ...]) -> str:
    if len(values) > _LISTED or sum(map(len, values)) > _LISTED_LENGTH:
        return f"one of the {len(values):,} texts that the model's spec lists, such as {quoted(values[0])}"
    return ("one of " if len(values) > 1 else "") + ", ".join(f'"{value}"' for value in values)


def kind(value: object) -> str:
    """Name what was sent, in a few words whatever its size and depth."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int | float):
        return f"the number {value}" if abs(value) < LARGEST_FLOAT32 else "a number past all bounds"
    if isinstance(value, str):
        return f"the text {quoted(value)}"
    return "a list" if isinstance(value, list) else "an object"


def quoted(text: str) -> str:
    """Return a text in quotes, or its beginning where it is long."""
    shown = repr(text[:_SHOWN])
    return shown if len(text) <= _SHOWN and len(shown) <= _SHOWN else f"{shown[: _SHOWN - 3]}..."
