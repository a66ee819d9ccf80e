"""Reads CSV: finds the separator, and skips blank lines."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from pathlib import Path

_SEPARATORS = ",;\t|"
_MAX_HEADER = 4 * 1024 * 1024  # bytes


def header(path: Path) -> tuple[list[str], str]:
    """Return the names of the columns, and the separator: the one that splits the header into most columns."""
    with path.open("rb") as file:
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


def read(path: Path, separator: str) -> pl.DataFrame:
    """Return the rows, all columns as text: the contract has the types, and a guess from the first rows can be wrong.

    A line without any value is a blank line, and no row; blanks are no value.
    """
    frame = pl.read_csv(path, separator=separator, infer_schema=False)
    values = pl.all().str.strip_chars().fill_null("")
    return frame.filter(~pl.all_horizontal(values == "")) if frame.width else frame
