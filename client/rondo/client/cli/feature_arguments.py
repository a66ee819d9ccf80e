"""Features as a person types them: `key=value`, read by the type that the served model asks for."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from rondo.client.errors import RefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def parse(pairs: Sequence[str], datatypes: Mapping[str, str]) -> dict[str, Any]:
    """Return the features; `datatypes` are those of the Open Inference Protocol. An empty value is a missing one.

    Raises:
        RefusedError: with every pair that can't be read.

    """
    features: dict[str, Any] = {}
    problems = []
    for pair in pairs:
        name, separator, text = pair.partition("=")
        if not separator:
            problems.append(f"{pair!r} is no feature: write it as name=value")
        elif name not in datatypes:
            problems.append(f"the model has no feature {name!r}: {_hint(name, datatypes)}")
        else:
            try:
                features[name] = _value(text, datatypes[name])
            except (ValueError, KeyError):
                problems.append(f"{name} is {text!r}: give {_wanted(datatypes[name])}")
    if problems:
        raise RefusedError("the features can't be used:", problems, "bad_features")
    return features


def _hint(name: str, datatypes: Mapping[str, str]) -> str:
    close = get_close_matches(name, datatypes, n=1)
    return f"did you mean {close[0]}?" if close else f"it has {', '.join(datatypes)}"


def _value(text: str, datatype: str) -> Any:
    if not text:
        return None
    match datatype:
        case "BYTES":
            return text
        case "BOOL":
            return _TRUTH[text.lower()]
        case "INT64":
            return int(text)
        case _:
            return float(text)


def _wanted(datatype: str) -> str:
    return {"BOOL": "true or false", "INT64": "a whole number"}.get(datatype, "a number")
