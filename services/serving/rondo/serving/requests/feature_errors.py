"""Errors of the features of a request. A message has the first few errors, and says what to send instead."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from rondo.contracts.spec.data import LARGEST_FLOAT32
from rondo.contracts.text import unstorable
from rondo.serving.errors import RequestRefusedError
from rondo.serving.requests.suggestions import NameSuggester

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rondo.contracts.spec.model import Feature
    from rondo.serving.requests.schema import RequestSchema

_MAX_ERRORS = 5
_SHOWN = 60
_LISTED, _LISTED_LENGTH = 20, 200
_NAMED = 20
_EXPECTED = {
    "category": 'a text, such as "AA"',
    "float": "a number, such as 12.5",
    "int": "a whole number, such as 12",
    "bool": "true or false",
}


def features_error(
    sent: Mapping[str, Any], schema: RequestSchema, where: str = "", suggester: NameSuggester | None = None
) -> RequestRefusedError | None:
    """Return one error for all invalid features of a row. None if all are valid. `where` names the row."""
    found = list(islice(_errors(sent, schema, where, suggester or NameSuggester()), _MAX_ERRORS + 1))
    if not found:
        return None
    shown = "; ".join(str(error) for error in found[:_MAX_ERRORS])
    message = f"{shown}; and more" if len(found) > _MAX_ERRORS else shown
    return RequestRefusedError(found[0].code, message, schema.model, **found[0].facts)


def _errors(
    sent: Mapping[str, Any], schema: RequestSchema, where: str, suggester: NameSuggester
) -> Iterator[RequestRefusedError]:
    unknown = sent.keys() - schema.features.keys()
    for name, feature in schema.features.items():
        if name in sent:
            if (error := value_error(name, sent[name], schema, where)) is not None:
                yield error
        elif not feature.optional:
            yield (error := missing_feature(name, schema, unknown, suggester))
            unknown.discard(str(error.facts.get("nearest")))
    if not schema.ignore_unknown:
        yield from (unknown_feature(name, list(schema.features), suggester) for name in sent if name in unknown)


def unknown_feature(name: str, known: list[str], suggester: NameSuggester) -> RequestRefusedError:
    """Return the error for a feature that is not among the `known` ones of the model."""
    nearest = suggester.nearest(name, known)
    meant = f"did you mean `{nearest}`?" if nearest else f"it has {_some(known)}."
    message = f"the model has no feature {quoted(name)}: {meant} Correct the name, or leave it out"
    return RequestRefusedError("unknown_feature", message, **({"nearest": nearest} if nearest else {}))


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def missing_feature(
    name: str, schema: RequestSchema, unknown: set[str], suggester: NameSuggester, how: str = ""
) -> RequestRefusedError:
    """Return the error for an absent feature. `unknown` are the names in the request that are not features."""
    nearest = suggester.nearest(name, unknown)
    renamed = f" (there is a `{nearest}`, which the model does not know)" if nearest else ""
    version = schema.needed_by.get(name)
    needs = f", which version {version} needs in its rollout" if version is not None else ""
    message = f"the feature `{name}` is missing{renamed}{needs}: send {expected(schema.features[name])}{how}"
    facts = {"nearest": nearest} if nearest else {}
    return RequestRefusedError("missing_feature", message, feature=name, **facts)


def value_error(name: str, value: Any, schema: RequestSchema, where: str = "") -> RequestRefusedError | None:
    """Return the error for one value. None if the value is allowed. `where` names its row, such as ` at row 3`."""
    feature, what = schema.features[name], f"the feature `{name}`{where}"
    if value is None or (value == "" and feature.type == "category"):
        if feature.optional:
            return None
        null, empty = "is null, and it may not be missing", "is empty, and it may not be missing"
        code, problem = "missing_feature", null if value is None else empty
    elif not _fits(value, feature):
        code, problem = "wrong_type", f"is {described(value)}"
    elif not isinstance(value, str) and abs(value) > LARGEST_FLOAT32:
        code, problem = "not_finite", "is infinite as a 32-bit float"
    elif isinstance(value, str) and (character := unstorable(value)):
        code, problem = "unstorable_text", f"holds {character}, which can't be stored"
    elif not schema.limits[name].allow(value):
        code, problem = "not_listed" if isinstance(value, str) else "out_of_range", f"is {described(value)}"
    else:
        return None
    return RequestRefusedError(code, f"{what} {problem}: send {expected(feature)}", feature=name)


def _fits(value: object, feature: Feature) -> bool:
    if feature.type == "category":
        return isinstance(value, str)
    if feature.type == "bool":
        return isinstance(value, bool)
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    return feature.type == "float" or isinstance(value, int) or value.is_integer()


def expected(feature: Feature) -> str:
    """Return the allowed values of a feature as text."""
    if feature.values:
        return _listed(feature.values)
    low, high = (None if bound is None else f"{bound:.15g}" for bound in (feature.min, feature.max))
    if feature.type == "bool" or (low is None and high is None):
        return _EXPECTED[feature.type]
    what = "a number" if feature.type == "float" else "a whole number"
    if low is None:
        return f"{what} of at most {high}"
    return f"{what} of at least {low}" if high is None else f"{what} from {low} to {high}"


def _listed(values: tuple[str, ...]) -> str:
    if len(values) > _LISTED or sum(map(len, values)) > _LISTED_LENGTH:
        return f"one of the {len(values):,} texts that the model's spec lists, such as {quoted(values[0])}"
    return ("one of " if len(values) > 1 else "") + ", ".join(f'"{value}"' for value in values)


def described(value: object) -> str:
    """Return a short description of a value of any size and depth."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int | float):
        shown = str(value) if isinstance(value, int) else f"{value:.15g}"
        return f"the number {shown}" if abs(value) < LARGEST_FLOAT32 else "a number past all bounds"
    if isinstance(value, str):
        return f"the text {quoted(value)}"
    return "a list" if isinstance(value, list) else "an object"


def quoted(text: str) -> str:
    """Return a text in quotes. A long text is cut off."""
    shown = repr(text[:_SHOWN])
    return shown if len(text) <= _SHOWN and len(shown) <= _SHOWN else f"{shown[: _SHOWN - 3]}..."
