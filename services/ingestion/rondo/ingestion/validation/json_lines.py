"""Reads JSON Lines. A column with values of several types becomes text: a data frame has one type per column."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import orjson
import polars as pl

from rondo.contracts.batch_files.json_lines import invalid_line
from rondo.contracts.batch_files.text import not_utf8, utf8
from rondo.contracts.tasks.label_values import label_text

if TYPE_CHECKING:
    from pathlib import Path


def read(path: Path) -> pl.DataFrame:
    """Return the rows. Blank lines are skipped.

    Raises:
        UnreadableContentError: a line is not a JSON object, or the text is not UTF-8.

    """
    with path.open("rb") as file, utf8(file) as text:
        content = text.read()
        try:
            return pl.read_ndjson(content, infer_schema_length=None)
        except pl.exceptions.PolarsError:
            if problem := not_utf8(text) or invalid_line(text):
                raise problem from None
            return pl.read_ndjson(_mixed_as_texts(content), infer_schema_length=None)


def written_values(path: Path, column: str) -> pl.Series:
    """Return the values of a column as texts by `label_text`. A column of text does not distinguish 2.5 and "2.5"."""
    with path.open("rb") as file, utf8(file) as text:
        values = [label_text(orjson.loads(line).get(column)) for line in text if line.strip()]
    return pl.Series(column, values, dtype=pl.String)


def _mixed_as_texts(content: bytes) -> bytes:
    """Convert the columns with values of several types to texts in all lines, because polars can't combine types."""
    rows = [orjson.loads(line) for line in content.split(b"\n") if line.strip()]
    types: dict[str, set[type]] = defaultdict(set)
    for row in rows:
        for name, value in row.items():
            if value is not None:
                types[name].add(float if type(value) is int else type(value))
    mixed = {name for name, found in types.items() if len(found) > 1}
    return b"\n".join(orjson.dumps(row | {name: _as_text(row[name]) for name in mixed & row.keys()}) for row in rows)


def _as_text(value: object) -> str | None:
    return value if value is None or isinstance(value, str) else orjson.dumps(value).decode()
