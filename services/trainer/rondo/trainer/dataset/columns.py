"""The columns of a training set, whichever table a row is from, and the one order of its rows."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from rondo.contracts.spec.model import Feature, ModelSpec

TIME = pl.Datetime("us", "UTC")
# The first instant that an event can name.
BEGINNING = datetime(1, 1, 1, tzinfo=UTC)


def occurrence(spec: ModelSpec) -> list[str]:
    """Return the columns that identify a row."""
    return list(spec.data.row_key)


def in_order(spec: ModelSpec, rows: pl.DataFrame) -> pl.DataFrame:
    """Sort by event time, entity and everything else: a table gives its rows in no promised order.

    What still ties is equal in every column, so the same rows are the same frame, whatever files they were in.
    """
    return rows.sort(*occurrence(spec), spec.data.label, *spec.features)


def required(spec: ModelSpec) -> list[str]:
    """Return the features that no row may lack."""
    return [name for name, feature in spec.features.items() if not feature.optional]


def feature(name: str, described: Feature, column: str, present: set[str]) -> pl.Expr:
    """Return a feature as the model takes it: text or float32; null where the table has no such `column`."""
    kind = pl.String if described.type == "category" else pl.Float32
    return (pl.col(column) if column in present else pl.lit(None)).cast(kind).alias(name)
