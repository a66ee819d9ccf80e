"""Parses arguments of the command line: times, and features as `name=value`."""

from __future__ import annotations

from datetime import UTC, datetime
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import typer

from rondo.client import event_times
from rondo.client.errors import RefusedError
from rondo.contracts.spec.duration import parse_duration
from rondo.contracts.times import to_utc

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import timedelta

BOOLEANS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def event_time(text: str) -> datetime:
    """Parse an event time. It needs an offset, as in requests over Kafka."""
    try:
        return event_times.parse(text)
    except RefusedError as error:
        raise typer.BadParameter(str(error)) from None


def day_or_time(text: str) -> datetime:
    """Parse a time with an offset, or a day, which is its begin in UTC. Windows of whole days begin there."""
    try:
        found = datetime.fromisoformat(text)
        is_day = found.tzinfo is None and text in (f"{found:%Y-%m-%d}", f"{found:%Y%m%d}")
        return to_utc(found.replace(tzinfo=UTC) if is_day else found)
    except ValueError:
        wanted = "write it as 2024-03-01 or 2024-03-01T12:00:00Z"
        raise typer.BadParameter(f"{text!r} is neither a day nor a time with an offset: {wanted}") from None


def local_time(text: str) -> datetime:
    """Parse a time of this machine's clock. Without an offset it is local time."""
    try:
        return datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError):
        raise typer.BadParameter(f"{text!r} is not a time: write it as 2013-03-01T12:00:00Z") from None


def duration(text: str) -> timedelta:
    """Parse a duration such as 2h, in the form of a spec."""
    try:
        return parse_duration(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def features(pairs: Sequence[str], datatypes: Mapping[str, str]) -> dict[str, Any]:
    """Return the features by name. `datatypes` are those of the Open Inference Protocol. An empty text becomes None.

    Raises:
        RefusedError: some pairs can't be parsed. The error names all of them.

    """
    found: dict[str, Any] = {}
    problems = []
    for pair in pairs:
        name, separator, text = pair.partition("=")
        if not separator:
            problems.append(f"{pair!r} is not a feature: write it as name=value")
        elif name not in datatypes:
            problems.append(f"the model has no feature {name!r}: {_hint(name, datatypes)}")
        else:
            try:
                found[name] = _value(text, datatypes[name])
            except (ValueError, KeyError):
                problems.append(f"{name} is {text!r}: give {_wanted(datatypes[name])}")
    if problems:
        raise RefusedError("the features can't be used:", problems, "bad_features")
    return found


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
            return BOOLEANS[text.lower()]
        case "INT64":
            return int(text)
        case _:
            return float(text)


def _wanted(datatype: str) -> str:
    return {"BOOL": "true or false", "INT64": "a whole number"}.get(datatype, "a number")
