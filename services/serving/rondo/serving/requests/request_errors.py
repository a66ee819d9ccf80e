"""Finds the reason why a request can't be answered, and says what to send instead. It only runs for failed requests."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import msgspec

from rondo.contracts.events.predictions import MAX_REQUEST_BYTES
from rondo.contracts.text import MAX_ID
from rondo.serving.errors import RequestRefusedError
from rondo.serving.requests import event_times
from rondo.serving.requests.feature_errors import described, features_error, quoted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rondo.serving.requests.schema import RequestSchema
    from rondo.serving.requests.suggestions import NameSuggester

log = logging.getLogger(__name__)
FORM = '{"id": "...", "model": "...", "features": {...}}'
FIELDS = ("id", "model", "features", "entity", "event_time")
_MAX_NAMES = 20
# A micro-batch has thousands of requests, so each kind of internal failure is logged once.
_LOGGED: set[type[Exception]] = set()


def explain(
    value: bytes | None,
    schemas: Mapping[str, RequestSchema],
    unserved: Mapping[str, str],
    suggester: NameSuggester,
    detail: str = "",
) -> RequestRefusedError:
    """Return the error of a request that the decoder refused with `detail`. The function raises no error."""
    try:
        return _reason(value, schemas, unserved, suggester, detail)
    except Exception as error:
        if type(error) not in _LOGGED:
            _LOGGED.add(type(error))
            log.exception("serving failed to explain why a request is refused; report this as a bug")
        return _unexplained(detail)


def _reason(
    value: bytes | None,
    schemas: Mapping[str, RequestSchema],
    unserved: Mapping[str, str],
    suggester: NameSuggester,
    detail: str,
) -> RequestRefusedError:
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
            "not_an_object", f"the value is {described(content)}, not a JSON object: send {FORM}, one per message"
        )
    return (
        _envelope_error(content, schemas, unserved, suggester)
        or _unknown_field(content, schemas[content["model"]], suggester)
        or features_error(content["features"], schemas[content["model"]], suggester=suggester)
        or _unexplained(detail)
    )


def key_too_long(size: int, most: int) -> RequestRefusedError:
    """Return the error for a message key that is too long for an answer."""
    message = f"the key has {size:,} bytes: send at most {most:,}, such as the entity or the id; the answer has it, too"
    return RequestRefusedError("bad_key", message)


def unknown_model(
    model: object, known: Mapping[str, object], unserved: Mapping[str, str], suggester: NameSuggester
) -> RequestRefusedError:
    """Return the error for a model that is not served here, with the reason or with the served models."""
    if not isinstance(model, str):
        return RequestRefusedError("unknown_model", f"`model` is {described(model)}: send the name of one, {FORM}")
    if model in unserved:
        return RequestRefusedError("unserved_model", unserved[model], model)
    names = ", ".join(sorted(known)[:_MAX_NAMES]) or "none yet"
    more = f" and {len(known) - _MAX_NAMES} more" if len(known) > _MAX_NAMES else ""
    nearest = suggester.nearest(model, known)
    hint = f"did you mean {nearest}?" if nearest else f"models that are deployed: {names}{more}."
    message = (
        f"no version is deployed of the model {quoted(model)}: {hint} Correct `model`. If its spec was applied, it"
        " is not trained yet, and `rondo runs <model>` says what it waits for"
    )
    return RequestRefusedError("unknown_model", message, model, **({"nearest": nearest} if nearest else {}))


def no_prediction(where: str = "") -> RequestRefusedError:
    """Return the error for a well-formed request on which the model itself fails."""
    message = f"the model gave no finite prediction for these features{where}: send this request to the model's owner"
    return RequestRefusedError("no_prediction", message)


def _envelope_error(
    content: dict[str, Any],
    schemas: Mapping[str, RequestSchema],
    unserved: Mapping[str, str],
    suggester: NameSuggester,
) -> RequestRefusedError | None:
    if "model" not in content:
        return RequestRefusedError("missing_model", f"`model` is missing: name the model that should answer, {FORM}")
    if not isinstance(content["model"], str) or content["model"] not in schemas:
        return unknown_model(content["model"], schemas, unserved, suggester)
    if "id" not in content:
        return RequestRefusedError("missing_id", f"`id` is missing: send a text that is unique to this request, {FORM}")
    return _name_error(content) or _time_error(content) or _form_error(content)


def _name_error(content: dict[str, Any]) -> RequestRefusedError | None:
    for name in ("id", "entity"):
        value = content.get(name)
        if name == "entity" and value is None:
            continue
        if not isinstance(value, str) or not value or len(value) > MAX_ID:
            found = f"{len(value):,} characters" if isinstance(value, str) else described(value)
            message = f"`{name}` is {found}: send a text of 1 to {MAX_ID} characters"
            return RequestRefusedError(f"bad_{name}", message)
    return None


def _time_error(content: dict[str, Any]) -> RequestRefusedError | None:
    sent = content.get("event_time")
    if event_times.is_time(sent):
        return None
    return RequestRefusedError("bad_event_time", f"`event_time` is {described(sent)}: {event_times.EXPECTED}")


def _form_error(content: dict[str, Any]) -> RequestRefusedError | None:
    if isinstance(content.get("features"), dict):
        return None
    found = described(content["features"]) if "features" in content else "missing"
    message = f'`features` is {found}: send an object with one value per feature, such as {{"distance": 740}}'
    return RequestRefusedError("bad_features", message)


def _unknown_field(
    content: dict[str, Any], schema: RequestSchema, suggester: NameSuggester
) -> RequestRefusedError | None:
    unknown = next((name for name in content if name not in FIELDS), None)
    return None if unknown is None or schema.ignore_unknown else unknown_field(unknown, schema, suggester)


def unknown_field(name: str, schema: RequestSchema, suggester: NameSuggester) -> RequestRefusedError:
    """Return the error for a field that requests do not have."""
    nearest = suggester.nearest(name, FIELDS)
    meant = f"did you mean `{nearest}`?" if nearest else f"it has {', '.join(FIELDS)}."
    message = f"a request has no field {quoted(name)}: {meant} Correct the name, or leave it out"
    return RequestRefusedError("unknown_field", message, schema.model, **({"nearest": nearest} if nearest else {}))


def _unexplained(detail: str) -> RequestRefusedError:
    return RequestRefusedError("invalid", f"the request does not fit ({detail}): send {FORM}")
