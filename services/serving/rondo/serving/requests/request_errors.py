"""Why a request can't be answered, as a sentence that says what to send instead. Only for requests that failed."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import msgspec

from rondo.contracts.events.predictions import MAX_REQUEST_BYTES
from rondo.contracts.text import MAX_ID
from rondo.serving.errors import RequestRefusedError
from rondo.serving.requests import event_times
from rondo.serving.requests.feature_errors import features_refusal, kind, quoted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rondo.serving.requests.schema import Layout
    from rondo.serving.requests.suggestions import Hints

log = logging.getLogger(__name__)
FORM = '{"id": "...", "model": "...", "features": {...}}'
_MAX_NAMES = 20
# Requests come by the thousand: the log has each kind of our own failures once.
_TOLD: set[type[Exception]] = set()


def refusal(value: bytes | None, layouts: Mapping[str, Layout], hints: Hints, detail: str = "") -> RequestRefusedError:
    """Say what is wrong with a request that could not be read or scored; whatever it is, this does not raise.

    `detail` is the decoder's word.
    """
    try:
        return _reason(value, layouts, hints, detail)
    except Exception as error:
        if type(error) not in _TOLD:
            _TOLD.add(type(error))
            log.exception("a request was refused, and why could not be told: this is a fault of serving, report it")
        return _unexplained(detail)


def _reason(value: bytes | None, layouts: Mapping[str, Layout], hints: Hints, detail: str) -> RequestRefusedError:
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
            "not_an_object", f"the value is {kind(content)}, not a JSON object: send {FORM}, one per message"
        )
    return (
        _envelope_refusal(content, layouts, hints)
        or features_refusal(content["features"], layouts[content["model"]], hints)
        or _unexplained(detail)
    )


def bad_key(size: int, most: int) -> RequestRefusedError:
    """Say that a message's key is too long: an answer repeats it."""
    message = f"the key has {size:,} bytes: send at most {most:,}, such as the entity or the id; the answer has it, too"
    return RequestRefusedError("bad_key", message)


def unknown_model(model: object, known: Mapping[str, object], hints: Hints) -> RequestRefusedError:
    """Say which models there are."""
    if not isinstance(model, str):
        return RequestRefusedError("unknown_model", f"`model` is {kind(model)}: send the name of one, {FORM}")
    names = ", ".join(sorted(known)[:_MAX_NAMES]) or "none yet"
    more = f" and {len(known) - _MAX_NAMES} more" if len(known) > _MAX_NAMES else ""
    close = hints.closest(model, known)
    hint = f"did you mean {close}?" if close else f"models that are deployed: {names}{more}."
    return RequestRefusedError(
        "unknown_model",
        f"no deployment names the model {quoted(model)}: {hint} Correct `model`, or wait for its ModelPromoted",
        model,
    )


def unscored() -> RequestRefusedError:
    """Say that the model itself did not answer a well-formed request."""
    message = "the model gave no finite score for these features: send this request to the model's owner"
    return RequestRefusedError("no_score", message)


def _envelope_refusal(
    content: dict[str, Any], layouts: Mapping[str, Layout], hints: Hints
) -> RequestRefusedError | None:
    if "model" not in content:
        return RequestRefusedError("missing_model", f"`model` is missing: name the model that should answer, {FORM}")
    if not isinstance(content["model"], str) or content["model"] not in layouts:
        return unknown_model(content["model"], layouts, hints)
    if "id" not in content:
        return RequestRefusedError("missing_id", f"`id` is missing: send a text that is unique to this request, {FORM}")
    return _name_refusal(content) or _time_refusal(content) or _form_refusal(content)


def _name_refusal(content: dict[str, Any]) -> RequestRefusedError | None:
    for name in ("id", "entity"):
        value = content.get(name)
        if name == "entity" and value is None:
            continue
        if not isinstance(value, str) or not value or len(value) > MAX_ID:
            found = f"{len(value):,} characters" if isinstance(value, str) else kind(value)
            message = f"`{name}` is {found}: send a text of 1 to {MAX_ID} characters"
            return RequestRefusedError(f"bad_{name}", message)
    return None


def _time_refusal(content: dict[str, Any]) -> RequestRefusedError | None:
    sent = content.get("event_time")
    if event_times.fault(sent) is None:
        return None
    return RequestRefusedError("bad_event_time", f"`event_time` is {kind(sent)}: {event_times.WANTED}")


def _form_refusal(content: dict[str, Any]) -> RequestRefusedError | None:
    if isinstance(content.get("features"), dict):
        return None
    found = kind(content["features"]) if "features" in content else "missing"
    message = f'`features` is {found}: send an object with one value per feature, such as {{"distance": 740}}'
    return RequestRefusedError("bad_features", message)


def _unexplained(detail: str) -> RequestRefusedError:
    return RequestRefusedError("invalid", f"the request does not fit ({detail}): send {FORM}")
