"""Validates rows, whatever transport they came by: event times, and the data contract of the features."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rondo.serving.errors import RequestRefusedError
from rondo.serving.requests.event_times import invalid_event_time, out_of_range
from rondo.serving.requests.feature_errors import features_error

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from rondo.serving.requests.rows import Rows
    from rondo.serving.requests.schema import RequestSchema


def invalid_rows(rows: Rows, schema: RequestSchema, now: datetime) -> dict[int, RequestRefusedError]:
    """Return why rows can't be scored, by row. Checks whole columns; looks at single rows only to explain them."""
    found = {
        row: invalid_event_time(rows.event_times[row], rows.source.where(row))
        for row in out_of_range(rows.event_times, now)
    }
    for row in set(_outside(rows, schema)) - found.keys():
        found[row] = _explain(row, rows, schema)
    return found


def _outside(rows: Rows, schema: RequestSchema) -> Iterator[int]:
    for name, limits in schema.limits.items():
        yield from limits.outside(rows.columns[name])


def _explain(row: int, rows: Rows, schema: RequestSchema) -> RequestRefusedError:
    where = rows.source.where(row)
    error = features_error(rows.source.features(row), schema, where)
    return error or RequestRefusedError("invalid", f"the request{where} does not fit the model's features")
