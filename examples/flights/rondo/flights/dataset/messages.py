"""Converts the flights to batches, and to the bytes of Kafka requests and outcomes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import orjson
import polars as pl

from rondo.flights.dataset.flights import ENTITY, EVENT_TIME, KNOWN_AT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rondo.flights.examples import Example

_RFC3339 = "%Y-%m-%dT%H:%M:%SZ"


def month_batches(flights: pl.DataFrame, example: Example, months: range) -> Iterator[tuple[str, pl.DataFrame]]:
    """Yield a batch id and the rows of each month (UTC), with the label, as a data team would publish them."""
    for month in months:
        rows = flights.filter(pl.col(EVENT_TIME).dt.month() == month, pl.col(EVENT_TIME).dt.year() == 2013)  # noqa: PLR2004
        yield f"2013-{month:02d}", rows.select(ENTITY, EVENT_TIME, example.label, *example.spec.features)


def stream_of(flights: pl.DataFrame, start: datetime, end: datetime) -> pl.DataFrame:
    """Return the flights with a scheduled departure in `[start, end)`."""
    return flights.filter(pl.col(EVENT_TIME) >= start, pl.col(EVENT_TIME) < end)


def requests(flights: pl.DataFrame, example: Example) -> list[tuple[bytes, bytes]]:
    """Return key and value of a prediction request for each flight. A missing feature is null."""
    if flights.is_empty():
        return []
    numbers = [name for name, kind in flights.schema.items() if kind == pl.Float32]
    # A text with all digits of a float32 would be twice as long, and parse to the same float32.
    plain = flights.with_columns(pl.col(numbers).cast(pl.Float64).round(4))
    times = flights[EVENT_TIME].dt.strftime(_RFC3339)
    return [
        (entity.encode(), orjson.dumps(_request(example.model, entity, time, features)))
        for entity, time, features in zip(
            flights[ENTITY], times, plain.select(*example.spec.features).to_dicts(), strict=True
        )
    ]


def _request(model: str, entity: str, event_time: str, features: dict[str, object]) -> dict[str, object]:
    return {"id": entity, "model": model, "entity": entity, "event_time": event_time, "features": features}


def outcomes(flights: pl.DataFrame, example: Example) -> list[tuple[bytes, bytes]]:
    """Return key and value of an outcome for each flight. All flights must have an outcome."""
    times = flights[KNOWN_AT].dt.strftime(_RFC3339)
    return [
        (entity.encode(), orjson.dumps({"id": entity, "model": example.model, "outcome": outcome, "event_time": time}))
        for entity, time, outcome in zip(flights[ENTITY], times, flights[example.label], strict=True)
    ]


def day(month: int, day_of_month: int = 1) -> datetime:
    """Return a day of 2013 in UTC. Month 13 is the end of the year."""
    return datetime(2014, 1, 1, tzinfo=UTC) if month > 12 else datetime(2013, month, day_of_month, tzinfo=UTC)  # noqa: PLR2004
