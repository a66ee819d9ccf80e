"""The first lines of a CSV batch: the names of its columns, and its separator."""

from __future__ import annotations

import csv
import io
import re
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Iterable

_SEPARATORS = ",;\t|"
_MAX_HEADER = 4 * 1024 * 1024  # bytes
_SAMPLED = 20  # lines
# What Excel reads, and some programs write, before the header.
_SEP = re.compile(r'"?sep=(.)"?')


@dataclass(frozen=True)
class CsvHeader:
    """`end` is the position of the rows in bytes. A file without any filled line has no columns."""

    columns: tuple[str, ...]
    separator: str
    end: int


def read_header(text: BinaryIO) -> CsvHeader:
    """Read the header of UTF-8 text. Blank lines before it are skipped, as are blanks around the names.

    The separator is the one that a line `sep=;` names, else the one by which most of the next lines have as many fields
    as the header, and of several the one that splits the header into most columns.

    Raises:
        UnicodeDecodeError: the header is not UTF-8.

    """
    start = text.tell()
    raw = _first_lines(text)
    # The last line may be cut, and an error after the header is one of a value.
    lines = [line.decode(errors="replace") for line in raw]
    skipped = next((number for number, line in enumerate(lines) if line.strip()), len(lines))
    named = _SEP.fullmatch(lines[skipped].strip("\r\n")) if skipped < len(lines) else None
    skipped += named is not None
    found = lines[skipped:]
    separators = named[1] if named else _SEPARATORS
    splits = {each: _records(found, each) for each in separators}
    best = max(separators, key=lambda each: _rank(splits[each]))
    if not splits[best]:
        return CsvHeader((), best, start)
    reader = csv.reader(found, delimiter=best)
    names = next(reader)
    header = raw[: skipped + reader.line_num]
    b"".join(header).decode()
    return CsvHeader(tuple(name.strip() for name in names), best, start + sum(map(len, header)))


def _first_lines(text: BinaryIO) -> list[bytes]:
    found: list[bytes] = []
    filled = 0
    while filled <= _SAMPLED and (line := text.readline(_MAX_HEADER)):
        filled += 1 if line.strip() else 0
        found.append(line)
    return found


def _records(lines: Iterable[str], separator: str) -> list[list[str]]:
    """Return the records of the lines, up to one with a field that is longer than the module allows."""
    found: list[list[str]] = []
    reader = csv.reader(io.StringIO("".join(lines), newline=""), delimiter=separator)
    with suppress(csv.Error):
        found.extend(record for record in reader if record)
    return found


def _rank(records: list[list[str]]) -> tuple[float, int]:
    if not records or len(records[0]) == 1:
        return (0.0, len(records[:1]))
    width, others = len(records[0]), records[1:]
    return (sum(len(record) == width for record in others) / len(others) if others else 1.0, width)
