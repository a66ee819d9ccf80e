"""Published rows, served rows and outcomes of flights, as the tables of a training set have them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
from rondo.contracts.spec.model import ModelSpec

START = datetime(2013, 3, 1, tzinfo=UTC)


TIME = pl.Datetime("us", "UTC")


SPEC = ModelSpec.model_validate(
    {
        "model": "flight-delay",
        "data": {"dataset": "flights", "entity": "flight", "event_time": "departure", "label": "late"},
        "features": {
            "carrier": {"type": "category"},
            "distance": {"type": "float"},
            "gust": {"type": "float", "optional": True},
        },
        "trainer": {"window": "30d"},
    }
)


LATER = START + timedelta(days=20)


def at(hours: float) -> datetime:
    return START + timedelta(hours=hours)


def published(*rows: tuple[str, float, int | None, str | None, float]) -> pl.LazyFrame:
    schema = {"flight": pl.String, "departure": TIME, "late": pl.Int64, "carrier": pl.String, "distance": pl.Float64}
    frame = pl.DataFrame([(f, at(h), late, c, d) for f, h, late, c, d in rows], schema, orient="row")
    return frame.with_columns(gust=pl.lit(None, pl.Float64), batch_id=pl.lit("b1")).lazy()


def served(*rows: tuple[str, str | None, float], role: str = "primary") -> pl.LazyFrame:
    schema = {"id": pl.String, "entity": pl.String, "event_time": TIME}
    return (
        pl.DataFrame([(i, e, at(h)) for i, e, h in rows], schema, orient="row")
        .with_columns(
            pl.col("event_time").alias("made_at"),
            pl.lit("UA").alias("feature.carrier"),
            pl.lit(500.0, pl.Float32).alias("feature.distance"),
            pl.lit(None, pl.Float32).alias("feature.gust"),
            pl.lit(0.5, pl.Float32).alias("output.score"),
            pl.lit(role).alias("role"),
        )
        .lazy()
    )


def outcomes(*rows: tuple[str | None, str | None, float, float]) -> pl.LazyFrame:
    """Return outcomes, each given as an id, an entity, the outcome, and the hours until it was known."""
    schema = {"id": pl.String, "entity": pl.String, "outcome": pl.Float64, "known_at": TIME}
    return pl.DataFrame([(i, e, o, at(h)) for i, e, o, h in rows], schema, orient="row").lazy()


def labels(frame: pl.DataFrame) -> list[tuple[Any, ...]]:
    return frame.select("flight", "late").rows()
