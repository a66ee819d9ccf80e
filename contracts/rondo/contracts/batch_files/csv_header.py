"""The first lines of a CSV batch: the names of its columns, and its separator."""

from __future__ import annotations

import csv
import re
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from rondo.contracts.batch_files.errors import UnreadableContentError

if TYPE_CHECKING:
    from collections.abc import Iterator

_SEPARATORS = ",;\t|"
# The header is searched in a sample: a file may be one long line, or begin with many blank lines.
_MOST_SAMPLED = 1024 * 1024  # bytes
_SAMPLED = 20  # lines
# Arrow ends a row at each of these, including a lone carriage return.
_LINE = re.compile(rb"[^\r\n]*(?:\r\n|\r|\n|\Z)")
# Excel reads this line before the header, and some programs write it.
_SEP = re.compile(r'"?sep=(.)"?')
# Separators that both the csv module and Arrow accept.
_SEPARATOR = re.compile(r"[\t !#-~]")


@dataclass(frozen=True)
class CsvHeader:
    """The columns and the separator. `end` is the byte position of the first row. A blank file has no columns."""

    columns: tuple[str, ...]
    separator: str
    end: int


@dataclass
class _Records:
    """The first records of a sample that are not blank, and the byte position after the first of them."""

    found: list[list[str]]
    end: int = 0

    @property
    def rank(self) -> tuple[float, int]:
        if not self.found or len(self.found[0]) == 1:
            return (0.0, len(self.found[:1]))
        width, others = len(self.found[0]), self.found[1:]
        return (sum(len(record) == width for record in others) / len(others) if others else 1.0, width)


def read_header(text: BinaryIO) -> CsvHeader:
    """Read the header of UTF-8 text. Blank lines before it are skipped, as are blanks around the names.

    A line `sep=;` names the separator. Without such a line it is the candidate with which most of the next lines have
    as many fields as the header. If several candidates are equal, it is the one that gives the header most columns.

    Raises:
        UnicodeDecodeError: the header is not UTF-8.
        UnreadableContentError: the header does not end within the sample, or a line `sep=` names no separator.

    """
    start, sample = _sample(text)
    first = next(_lines(sample), b"")
    named = _SEP.fullmatch(first.decode(errors="replace").strip("\r\n"))
    if named and not _SEPARATOR.fullmatch(named[1]):
        why = f"its first line names {named[1]!r} as the separator, which is none"
        raise UnreadableContentError(why, "separate the columns by an ASCII character such as ;, and write sep=;")
    if named:
        text.seek(start + len(first))
        start, sample = _sample(text)
    splits = {each: _records(sample, each) for each in (named[1] if named else _SEPARATORS)}
    separator = max(splits, key=lambda each: splits[each].rank)
    best = splits[separator]
    is_cut = len(sample) == _MOST_SAMPLED
    if (is_cut and best.end in (0, _MOST_SAMPLED)) or (not best.found and sample.strip()):
        why = f"its header is longer than {_MOST_SAMPLED >> 20} MiB, or a quote in it is not closed"
        raise UnreadableContentError(why, "close it, and write the names of the columns in the first line")
    if not best.found:
        return CsvHeader((), separator, start)
    sample[: best.end].decode()  # an error after the header is an error of a value
    return CsvHeader(tuple(name.strip() for name in best.found[0]), separator, start + best.end)


def _sample(text: BinaryIO) -> tuple[int, bytes]:
    """Return the byte position of the first line that is not blank, and the bytes from there."""
    start = at = text.tell()
    while chunk := text.read(_MOST_SAMPLED):
        blank = len(chunk) - len(chunk.lstrip())
        line = 1 + max(chunk.rfind(b"\n", 0, blank), chunk.rfind(b"\r", 0, blank))
        start = at + line if line else start
        if blank < len(chunk):
            break
        at += len(chunk)
    text.seek(start)
    return start, text.read(_MOST_SAMPLED)


def _lines(sample: bytes) -> Iterator[bytes]:
    return (found[0] for found in _LINE.finditer(sample) if found[0])


def _records(sample: bytes, separator: str) -> _Records:
    """Parse records up to the first with a field that is longer than the csv module allows. The last may be cut off."""
    taken = 0

    def lines() -> Iterator[str]:
        nonlocal taken
        for line in _lines(sample):
            taken += len(line)
            yield line.decode(errors="replace")

    records = _Records([])
    with suppress(csv.Error):
        for record in csv.reader(lines(), delimiter=separator):
            if len(record) > 1 or "".join(record).strip():
                records.found.append(record)
                records.end = records.end or taken
            if len(records.found) > _SAMPLED:
                break
    return records
