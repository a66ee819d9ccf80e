"""Parses JSON Lines from people: objects with known keys."""

from __future__ import annotations

import io
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import orjson

from rondo.client import event_times
from rondo.client.errors import RefusedError
from rondo.client.spec_proposal import files
from rondo.client.spec_proposal.errors import UnreadableFileError
from rondo.contracts.batch_files.errors import UnreadableContentError
from rondo.contracts.batch_files.formats import check_markers
from rondo.contracts.batch_files.text import utf8

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

REQUEST_KEYS = ("features", "id", "entity", "event_time", "model")
REQUEST_FORM = '{"features": {...}}, and if wanted "id", "entity", "event_time", "model"'
_MAX_SHOWN = 80  # characters of an unknown key


def readable(lines: BinaryIO) -> BinaryIO:
    """Return the lines of a file as UTF-8, decompressed, as `rondo publish` reads them. A pipe stays as it is.

    Raises:
        UnreadableFileError: the file is damaged, or has another format.

    """
    if not lines.seekable() or not lines.seek(0, io.SEEK_END):
        return lines
    lines.seek(0)
    try:
        with files.inflated(lines) as content:
            check_markers(content, "JSON Lines")
            with utf8(content) as text:
                if text is lines and not text.tell():
                    return lines
                found = io.BytesIO(text.read())
    except UnreadableContentError as error:
        raise UnreadableFileError(Path(lines.name).name, error.why, error.advice) from None
    found.name = lines.name
    return found


def parse_object(line: bytes, what: str, keys: Sequence[str], form: str) -> dict[str, Any]:
    """Return the object of a line. Errors name `what` the line is, such as a request, and the `form` of a correct line.

    Raises:
        RefusedError: the line is not JSON, not an object, or has an unknown key.

    """
    try:
        content = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise RefusedError(f"it is not JSON ({error}): write {form}", code="not_json") from None
    if not isinstance(content, dict):
        raise RefusedError(f"it is not a JSON object: write {form}", code="bad_request")
    if unknown := [key for key in content if key not in keys]:
        raise RefusedError(
            f"{'; '.join(_unknown(key, what, keys) for key in unknown)}: write {form}", code="unknown_key"
        )
    return content


def event_time(given: object) -> datetime | None:
    """Return a time in UTC. None if no time is given.

    Raises:
        BadEventTimeError: the value is not a time, or has no offset.

    """
    if given is None:
        return None
    return event_times.parse(given if isinstance(given, str) else repr(given))


def count(lines: BinaryIO) -> int | None:
    """Return the number of lines that are not blank. None for a pipe, which can't be read twice."""
    if not lines.seekable():
        return None
    found = sum(1 for line in lines if line.strip())
    lines.seek(0)
    return found


def nothing_in(lines: BinaryIO, what: str, form: str) -> RefusedError:
    """Return the error of a file without lines."""
    return RefusedError(f"{lines.name} has no {what}: write one per line as {form}", code="no_lines")


def _unknown(key: str, what: str, keys: Sequence[str]) -> str:
    shown = key[:_MAX_SHOWN]
    close = get_close_matches(shown.lower(), keys, n=1)
    return f"{shown!r} is not a key of {what}{f', did you mean {close[0]!r}?' if close else ''}"
