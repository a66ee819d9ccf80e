"""Finds the line of JSON Lines that is not a JSON object."""

from __future__ import annotations

import codecs
from typing import Any, BinaryIO

import orjson

from rondo.contracts.batch_files.errors import UnreadableContentError

_ONE_PER_LINE = "write one object per line"
_OF_ARRAY = "write one object per line: `jq -c '.[]' FILE` does that"
_MOST_SHOWN = 40  # characters


def parse_line(number: int, line: bytes) -> dict[str, Any]:
    """Return the object of a line.

    Raises:
        UnreadableContentError: the line is not a JSON object.

    """
    is_array = number == 1 and line.lstrip().startswith(b"[")
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        if is_array:
            raise UnreadableContentError("it is a JSON array, not JSON Lines", _OF_ARRAY) from None
        shown = line.decode(errors="replace").strip()[:_MOST_SHOWN]
        raise UnreadableContentError(f"line {number} is not JSON ({error}): {shown!r}", _ONE_PER_LINE) from None
    if not isinstance(row, dict):
        if is_array:
            raise UnreadableContentError("it is a JSON array, not JSON Lines", _OF_ARRAY)
        raise UnreadableContentError(f"line {number} is not a JSON object", _ONE_PER_LINE)
    return row


def invalid_line(text: BinaryIO) -> UnreadableContentError | None:
    """Return the error of the first line that is not a JSON object. None if all lines are JSON objects."""
    text.seek(0)
    for number, line in enumerate(text, 1):
        content = line.removeprefix(codecs.BOM_UTF8) if number == 1 else line
        try:
            if content.strip():
                parse_line(number, content)
        except UnreadableContentError as error:
            return error
    return None
