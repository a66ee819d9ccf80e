"""Validates rows of all transports: texts that can't be stored, event times, and the data contract of the features."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rondo.contracts.text import unstorable
from rondo.serving.errors import RequestRefusedError
from rondo.serving.requests.event_times import invalid_event_time, out_of_range
from rondo.serving.requests.feature_errors import features_error

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from rondo.serving.requests.rows import Rows
    from rondo.serving.requests.schema import RequestSchema


def invalid_rows(rows: Rows, schema: RequestSchema, now: datetime) -> dict[int, RequestRefusedError]:
    """Return the errors of invalid rows, by row. Whole columns are checked.

    Single rows are examined only for messages.
    """
    found = {
        row: invalid_event_time(rows.event_times[row], rows.source.where(row))
        for row in out_of_range(rows.event_times, now)
    }
    for name, texts in (("id", rows.ids), ("entity", rows.entities)):
        found |= {row: _unstorable_name(name, row, texts, rows) for row in _unstorable(texts)}
    for row in set(_outside(rows, schema)) - found.keys():
        found[row] = explain_row(row, rows, schema)
    return found


def _outside(rows: Rows, schema: RequestSchema) -> Iterator[int]:
    # One operation checks all numbers. In most cases it finds no invalid value.
    inside = rows.numbers is not None and schema.number_limits.all_inside(rows.numbers)
    for name in schema.texts if inside else schema.features:
        column = rows.columns[name]
        yield from schema.limits[name].outside(column)
        if schema.features[name].type == "category":
            yield from _unstorable(column.tolist())


def _unstorable(texts: Sequence[str | None]) -> list[int]:
    """Return the rows with a text that PostgreSQL or UTF-8 can't store.

    Most columns pass without a check of each row.
    """
    whole = "".join(filter(None, texts))
    if "\0" not in whole and (whole.isascii() or not unstorable(whole)):
        return []
    return [row for row, text in enumerate(texts) if text and unstorable(text)]


def _unstorable_name(name: str, row: int, texts: Sequence[str | None], rows: Rows) -> RequestRefusedError:
    character = unstorable(texts[row] or "")
    message = f"`{name}`{rows.source.where(row)} holds {character}, which can't be stored: remove it"
    return RequestRefusedError(f"bad_{name}", message)


def explain_row(row: int, rows: Rows, schema: RequestSchema) -> RequestRefusedError:
    """Return the error for the features of an invalid row."""
    where = rows.source.where(row)
    error = features_error(rows.source.features(row), schema, where)
    return error or RequestRefusedError("invalid", f"the request{where} does not fit the model's features")
