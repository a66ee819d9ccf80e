"""Why a request can't be answered, as a sentence that says what to send instead. Only for requests that failed."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from rondo.contracts.predictions import MAX_REQUEST_BYTES
from rondo.serving.errors import RequestRefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rondo.contracts.spec import Feature
    from rondo.serving.layout import Layout

FORM = '{"id": "...", "model": "...", "features": {...}}'
MAX_ID = 256
_MAX_FAULTS = 5
_SHOWN = 60
_LARGEST = float(np.finfo(np.float32).max)
_WANTED = {
    "category": 'a text, such as "AA"',
    "float": "a number, such as 12.5",
    "int": "a whole number, such as 12",
    "bool": "true or false",
}


def refusal(value: bytes | None, layouts: Mapping[str, Layout], detail: str = "") -> RequestRefusedError:
    """Say what is wrong with a request that could not be read or scored. `detail` is the decoder's word."""
    if value is None:
        return RequestRefusedError("null_value", f"the message has no value: send a JSON object, {FORM}")
    if len(value) > MAX_REQUEST_BYTES:
        return RequestRefusedError(
            "too_large",
            f"the request has {len(value):,} bytes, more than the {MAX_REQUEST_BYTES:,} that are allowed:"
            " send fewer or shorter features; its bytes stay in the topic at the offset named here",
        )
    try:
        content = msgspec.json.decode(value)
    except (msgspec.MsgspecError, UnicodeError, RecursionError, ValueError) as error:
        return RequestRefusedError("not_json", f"the value is not JSON ({error}): send a JSON object, {FORM}")
    if not isinstance(content, dict):
        return RequestRefusedError(
            "not_an_object", f"the value is {_kind(content)}, not a JSON object: send {FORM}, one per message"
        )
    return _envelope_refusal(content, layouts) or _features_refusal(content, layouts) or _unexplained(detail)


def unknown_model(model: object, known: Mapping[str, object]) -> RequestRefusedError:
    """Say which models there are."""
    names = ", ".join(sorted(known)) or "none yet"
    close = get_close_matches(str(model), known, n=1)
    hint = f"did you mean {close[0]}?" if close else f"models that are deployed: {names}."
    return RequestRefusedError(
        "unknown_model",
        f"no deployment names the model {_shown(model)}: {hint} Correct `model`, or wait for its ModelPromoted",
        model if isinstance(model, str) else None,
    )


def unserved_model(model: str, why: str) -> RequestRefusedError:
    """Say that a model is deployed and this replica could load no version of it."""
    message = f"no version of {model} could be loaded: {why}; send the request again when one is available"
    return RequestRefusedError("unserved_model", message, model)


def unscored() -> RequestRefusedError:
    """Say that the model itself did not answer a well-formed request."""
    message = "the model gave no finite score for these features: send this request to the model's owner"
    return RequestRefusedError("no_score", message)


def _envelope_refusal(content: dict[str, Any], layouts: Mapping[str, Layout]) -> RequestRefusedError | None:
    if "model" not in content:
        return RequestRefusedError("missing_model", f"`model` is missing: name the model that should answer, {FORM}")
    if not isinstance(content["model"], str) or content["model"] not in layouts:
        return unknown_model(content["model"], layouts)
    if "id" not in content:
        return RequestRefusedError("missing_id", f"`id` is missing: send a text that is unique to this request, {FORM}")
    for name in ("id", "entity"):
        value = content.get(name)
        if name == "entity" and value is None:
            continue
        if not isinstance(value, str) or not value or len(value) > MAX_ID:
            found = f"{len(value):,} characters" if isinstance(value, str) else _kind(value)
            message = f"`{name}` is {found}: send a text of 1 to {MAX_ID} characters"
            return RequestRefusedError(f"bad_{name}", message)
    if not isinstance(content.get("features"), dict):
        found = _kind(content["features"]) if "features" in content else "missing"
        message = f'`features` is {found}: send an object with one value per feature, such as {{"distance": 740}}'
        return RequestRefusedError("bad_features", message)
    return None


def _features_refusal(content: dict[str, Any], layouts: Mapping[str, Layout]) -> RequestRefusedError | None:
    features = layouts[content["model"]].features
    faults = list(_faults(content["features"], features))
    if not faults:
        return None
    shown = "; ".join(message for _, message in faults[:_MAX_FAULTS])
    more = f"; and {len(faults) - _MAX_FAULTS} more" if len(faults) > _MAX_FAULTS else ""
    return RequestRefusedError(faults[0][0], shown + more)


def _faults(sent: dict[str, Any], features: Mapping[str, Feature]) -> Iterator[tuple[str, str]]:
    for name, feature in features.items():
        wanted = _WANTED[feature.type]
        if name not in sent:
            if not feature.optional:
                close = get_close_matches(name, sent.keys() - features.keys(), n=1)
                renamed = f" (there is a `{close[0]}`, which the model does not know)" if close else ""
                yield "missing_feature", f"the feature `{name}` is missing{renamed}: send {wanted}"
        elif sent[name] is None:
            if not feature.optional:
                yield "missing_feature", f"the feature `{name}` is null, and it may not be missing: send {wanted}"
        elif not _fits(sent[name], feature):
            yield "wrong_type", f"the feature `{name}` is {_kind(sent[name])}: send {wanted}"
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


def _unexplained(detail: str) -> RequestRefusedError:
    return RequestRefusedError(
        "invalid", f"the request does not fit ({detail}): send {FORM}, with `event_time` as RFC 3339 with an offset"
    )


def _kind(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int | float):
        return f"the number {value}" if abs(value) < _LARGEST else "a number past all bounds"
    if isinstance(value, str):
        return f"the text {_shown(value)}"
    return "a list" if isinstance(value, list) else "an object"


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:57]}..."
