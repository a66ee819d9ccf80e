"""Converts rows of a batch to requests, from any file that `rondo publish` accepts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NoReturn

import orjson

from rondo.client import event_times, messages
from rondo.client.cli.bulk import json_lines
from rondo.client.errors import RefusedError
from rondo.client.http.batch_files import suffix_of
from rondo.client.spec_proposal import files
from rondo.contracts.batch_files.formats import EXTENSIONS
from rondo.contracts.batch_files.times import parse_time, written_date
from rondo.contracts.batch_files.values import parse_boolean, parse_number, parse_whole, with_point
from rondo.contracts.spec.feature_types import is_known, unknown_type_sentence

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from rondo.client.asynchronous import AsyncRondo
    from rondo.client.spec_proposal.files import SourceFile
    from rondo.contracts.events.predictions import PredictionRequested

_PARSERS: Mapping[str, Callable[[str], bool | float | None]] = {
    "bool": parse_boolean, "int": parse_whole, "float": parse_number,
}  # fmt: skip
_INT64 = 2**63  # ingestion stores whole numbers in 64 bits


@dataclass(frozen=True)
class Columns:
    """The columns of a row by the spec of the model.

    `features` have their types, and `required` ones must be present.
    """

    entity: str
    event_time: str
    features: Mapping[str, str]
    required: tuple[str, ...]
    time_zone: str | None = None

    @classmethod
    async def of(cls, rondo: AsyncRondo, model: str) -> Columns:
        """Request the spec from the registry, and return its columns."""
        spec = (await rondo.spec(model))["spec"]
        features = spec["features"]
        return cls(
            spec["data"]["entity"],
            spec["data"]["event_time"],
            {name: each["type"] for name, each in features.items()},
            tuple(name for name, each in features.items() if not each.get("optional")),
            spec["data"].get("time_zone"),
        )


def opened(lines: BinaryIO) -> tuple[BinaryIO, SourceFile | None]:
    """Return the lines of a file of requests, or the opened file of rows. A compressed file is decompressed.

    A file has rows if its name has the suffix of a format of batches. JSON Lines have rows if the first object has no
    `features`, and under a key that requests do not have a value that is not an object. Stdin has requests.

    Raises:
        UnreadableFileError: the file is damaged.
        EmptyBatchError, NoRowsError: the file has no row.

    """
    path = Path(lines.name)
    file_format = EXTENSIONS.get(suffix_of(path))
    if file_format is None or not lines.seekable():
        return lines, None
    if file_format == "JSON Lines":
        content = json_lines.readable(lines)
        of_rows = _is_row(next(filter(bytes.strip, content), b""))
        content.seek(0)
        if not of_rows:
            return content, None
    return lines, files.read(path, None)


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
    """Raise RefusedError if no row of the file could be answered.

    It lacks a required feature, or has one whose type is unknown to this release.
    """
    for name, kind in columns.features.items():
        if name in names and not is_known(kind):
            sentence = unknown_type_sentence(f"the feature {name} of {model}", kind, "rondo")
            raise RefusedError(f"{sentence}, then send the file again", code="unknown_feature_type")
    if missing := [name for name in columns.required if name not in names]:
        raise RefusedError(
            f"the file has no column {', '.join(missing)}, which {model} needs: add it, or send requests as JSON Lines"
            f" with {json_lines.REQUEST_FORM}",
            code="bad_features",
        )


def requests(source: SourceFile, columns: Columns, model: str) -> Iterator[PredictionRequested | RefusedError]:
    """Yield the request of each row, or the error of the row.

    The id of a request is the value of a column `id`, unless the spec has a column of that name. Otherwise it is the
    entity with the event time, such as `ride-17@2026-03-01T12:00:00Z`, because the two identify a row. Labels and other
    columns are left out.
    """
    names = source.table.column_names
    own_id = "id" in names and "id" not in {columns.entity, columns.event_time, *columns.features}
    for batch in source.table.to_batches(1_000):
        for row in batch.to_pylist():
            try:
                yield _request(row, columns, model, source, own_id=own_id)
            except RefusedError as error:
                yield error


def _request(
    row: Mapping[str, Any], columns: Columns, model: str, source: SourceFile, *, own_id: bool
) -> PredictionRequested:
    entity, at = row.get(columns.entity), event_time_of(row.get(columns.event_time), columns.time_zone)
    subject = None if entity is None else str(entity)
    named = row.get("id") if own_id else None
    if named is None and subject is not None:
        named = subject if at is None else f"{subject}@{_in_utc(at)}"
    features = {name: value_of(name, row[name], kind, source) for name, kind in columns.features.items() if name in row}
    return messages.request(model, features, None if named is None else str(named), subject, at)


def event_time_of(given: Any, zone: str | None) -> datetime | None:
    """Return a time in UTC, with the rules of ingestion.

    Raises:
        BadEventTimeError: the value is not a time, or neither the value nor `zone` gives a zone.

    """
    if given is None:
        return None
    if isinstance(given, date) and not isinstance(given, datetime):
        given = datetime.combine(given, time.min)
    read = parse_time(float(given) if isinstance(given, Decimal) else given, zone)
    if read is None:
        raise event_times.BadEventTimeError(given)
    return event_times.in_utc(read)


def _in_utc(at: datetime) -> str:
    """Return a time in UTC that ends with `Z`, as in files and in the documentation, so that outcomes name the id."""
    return at.isoformat().replace("+00:00", "Z")


def value_of(name: str, value: Any, kind: str, source: SourceFile) -> Any:
    """Return a value of a file as a value of a request, with ingestion's conversion to the type of the feature.

    Raises:
        RefusedError: ingestion would refuse the value, too.

    """
    if value is None or (isinstance(value, str) and kind != "category" and not value.strip()):
        return None
    if isinstance(value, bool) and kind == "category":
        value = str(value).lower()
    if isinstance(value, date) and kind == "category":
        value = written_date(value)
    number: Any = None
    if kind == "category":
        return str(value) if isinstance(value, str | int) else _refuse(name, value, kind)
    if not isinstance(value, str):
        number = _typed_number(value, kind)
    elif name in source.json_numbers:
        number = _typed_number(orjson.loads(value), kind)
    elif not source.keeps_types:
        text = value.strip()
        number = _PARSERS[kind](with_point(text) if source.decimal_commas else text)
    if number is None or (isinstance(number, float) and math.isinf(number)):
        _refuse(name, value, kind)
    # NaN is a missing value if the feature is optional, and is refused otherwise.
    return None if isinstance(number, float) and math.isnan(number) else number


def _typed_number(value: Any, kind: str) -> bool | float | None:
    """Return a number of a file with types. A decimal becomes the nearest float. None for a value of another type."""
    if not isinstance(value, bool | int | float | Decimal):
        return None
    if kind == "bool":
        return bool(value) if value in (0, 1) else None
    if kind == "int":
        return int(value) if math.isfinite(value) and value == int(value) and -_INT64 <= value < _INT64 else None
    return float(value)


def _refuse(name: str, value: Any, kind: str) -> NoReturn:
    wanted = {"bool": "true or false", "int": "a whole number", "category": "a text"}.get(kind, "a number")
    raise RefusedError(f"{name} is {value!r}: give {wanted}", code="bad_features")
