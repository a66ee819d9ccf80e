"""The first line of a CSV batch: the names of its columns, and its separator."""

from __future__ import annotations

import csv
from typing import BinaryIO

_SEPARATORS = ",;\t|"
_MAX_HEADER = 4 * 1024 * 1024  # bytes


def read_header(file: BinaryIO) -> tuple[list[str], str]:
    """Return the names of the columns, and the separator: the one that splits the header into most columns.

    Blank lines before the header are skipped. A file without any other line has no columns.
    """
    line = next((line for line in iter(lambda: file.readline(_MAX_HEADER), b"") if line.strip()), b"")
    text = line.decode("utf-8-sig", errors="replace").rstrip("\r\n")
    splits = {separator: _split(text, separator) for separator in _SEPARATORS}
    separator = max(_SEPARATORS, key=lambda each: len(splits[each]))
    return splits[separator], separator


def _split(line: str, separator: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=separator), [])
    except csv.Error:  # a field is longer than the module allows
        return []
