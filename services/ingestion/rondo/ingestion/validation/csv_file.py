"""Reads CSV: finds the separator, and skips blank lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from rondo.contracts.csv_header import read_header

if TYPE_CHECKING:
    from pathlib import Path


def header(path: Path) -> tuple[list[str], str]:
    """Return the names of the columns, and the separator."""
    with path.open("rb") as file:
        return read_header(file)


def read(path: Path, separator: str) -> pl.DataFrame:
    """Return the rows, all columns as text: the contract has the types, and a guess from the first rows can be wrong.

    A line without any value is a blank line, and no row; blanks are no value.
    """
    frame = pl.read_csv(path, separator=separator, infer_schema=False)
    values = pl.all().str.strip_chars().fill_null("")
    return frame.filter(~pl.all_horizontal(values == "")) if frame.width else frame
