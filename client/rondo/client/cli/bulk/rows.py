"""Rows of a batch, in any file that `rondo publish` takes, as requests."""

from __future__ import annotations

import gzip
import io
import sys
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import orjson

from rondo.client import messages
from rondo.client.cli.arguments import BOOLEANS
from rondo.client.cli.bulk import json_lines
from rondo.client.errors import RefusedError
from rondo.client.http.batch_files import CONTENT_TYPES, suffix_of
from rondo.client.spec_proposal import files

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    import pyarrow as pa

    from rondo.client.asynchronous import AsyncRondo
    from rondo.contracts.events.predictions import PredictionRequested

_GZIP = b"\x1f\x8b"
_JSON_LINES = "application/x-ndjson"


@dataclass(frozen=True)
class Columns:
    """The columns of a row by the spec of the model; `features` have their types, and `required` must be there."""

    entity: str
    event_time: str
    features: Mapping[str, str]
    required: tuple[str, ...]

    @classmethod
    async def of(cls, rondo: AsyncRondo, model: str) -> Columns:
        """Ask the registry for the spec."""
        spec = (await rondo.spec(model))["spec"]
        features = spec["features"]
        return cls(
            spec["data"]["entity"],
            spec["data"]["event_time"],
            {name: each["type"] for name, each in features.items()},
            tuple(name for name, each in features.items() if not each.get("optional")),
        )


def opened(lines: BinaryIO) -> tuple[BinaryIO, pa.Table | None]:
    """Return the lines of requests, or the table that a file of rows is; a compressed file is decompressed.

    A file is of rows if its name says so. One of JSON Lines is if the first object has no `features`, and a value that
    is no object under a key that requests have not. Stdin is of requests.

    Raises:
        UnreadableFileError: a table is damaged.
        EmptyBatchError, NoRowsError: it has no row.

    """
    path = Path(lines.name)
    content_type = CONTENT_TYPES.get(suffix_of(path))
    if content_type is None or not lines.seekable():
        return lines, None
    if content_type == _JSON_LINES:
        if lines.read(len(_GZIP)) == _GZIP:
            lines.seek(0)
            named = io.BytesIO(gzip.decompress(lines.read()))
            named.name = lines.name
            lines = named
        lines.seek(0)
        of_rows = _is_row(next(filter(bytes.strip, lines), b""))
        lines.seek(0)
        if not of_rows:
            return lines, None
    return lines, files.read(path, sys.maxsize).table


def _is_row(line: bytes) -> bool:
    try:
        first = orjson.loads(line)
    except orjson.JSONDecodeError:
        return False
    if not isinstance(first, dict) or "features" in first:
        return False
    others = first.keys() - set(json_lines.REQUEST_KEYS)
    return any(not isinstance(first[key], dict) for key in others)


def check_columns(names: Sequence[str], columns: Columns, model: str) -> None:
    """Raise RefusedError if the file lacks a required feature: no row of it could be answered."""
    if missing := [name for name in columns.required if name not in names]:
        raise RefusedError(
            f"the file has no column {', '.join(missing)}, which {model} needs: add it, or send requests as JSON Lines"
            f" with {json_lines.REQUEST_FORM}",
            code="bad_features",
        )


def requests(table: pa.Table, columns: Columns, model: str) -> Iterator[PredictionRequested | RefusedError]:
    """Yield the request of each row, or why there is none.

    Its id is that of a column `id`, which is no other column of the spec, else the entity with the event time, such as
    `ride-17@2026-03-01T12:00:00Z`: the two identify a row. Labels and other columns are left out.
    """
    own_id = "id" in table.column_names and "id" not in {columns.entity, columns.event_time, *columns.features}
    for batch in table.to_batches(1_000):
        for row in batch.to_pylist():
            try:
                yield _request(row, columns, model, own_id=own_id)
            except RefusedError as error:
                yield error


def _request(row: Mapping[str, Any], columns: Columns, model: str, *, own_id: bool) -> PredictionRequested:
    entity, at = row.get(columns.entity), _event_time(row.get(columns.event_time))
    subject = None if entity is None else str(entity)
    named = row.get("id") if own_id else None
    if named is None and subject is not None:
        named = subject if at is None else f"{subject}@{_in_utc(at)}"
    features = {name: _value(name, row[name], kind) for name, kind in columns.features.items() if name in row}
    return messages.request(model, features, None if named is None else str(named), subject, at)


def _event_time(given: Any) -> datetime | None:
    if isinstance(given, str):
        return json_lines.event_time(given.strip() or None)
    return json_lines.event_time(given.isoformat() if isinstance(given, date) else given)


def _in_utc(at: datetime) -> str:
    """Return a time in UTC with a `Z`, as files and the documentation have it, so that outcomes can name the id."""
    return at.isoformat().replace("+00:00", "Z")


def _value(name: str, value: Any, kind: str) -> Any:
    """Return a value of a file as a request has it: texts of CSV are read by the type of the feature.

    The blanks of a category are part of it, as ingestion has it.

    Raises:
        RefusedError: the text is no such value.

    """
    if value is None or (isinstance(value, str) and kind != "category" and not value.strip()):
        return None
    if kind == "category":
        return str(value)
    if isinstance(value, Decimal):
        # Of Parquet and Arrow. Ingestion takes the nearest number, too.
        return int(value) if value == value.to_integral_value() else float(value)
    if not isinstance(value, str):
        return value
    try:
        return BOOLEANS[value.strip().lower()] if kind == "bool" else int(value) if kind == "int" else float(value)
    except (KeyError, ValueError):
        wanted = {"bool": "true or false", "int": "a whole number"}.get(kind, "a number")
        raise RefusedError(f"{name} is {value!r}: give {wanted}", code="bad_features") from None
