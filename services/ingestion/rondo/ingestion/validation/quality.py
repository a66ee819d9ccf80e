"""Statistics of a batch and its columns."""

from __future__ import annotations

import polars as pl
from pydantic import BaseModel, ConfigDict

from rondo.contracts.text import Message, Text


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, ser_json_inf_nan="strings")


class ColumnQuality(_Value):
    """One column of the accepted rows. `distinct` counts values. Only numeric columns have `low` and `high`."""

    missing: int
    distinct: int
    low: float | None = None
    high: float | None = None


class QualityReport(_Value):
    """Counts of rows, the reasons of the quarantined ones (reason to rows), and the columns of the accepted ones.

    `examples` has the first row of each reason and its value, such as `row 7 with -5`. Rows count from 1.
    """

    rows: int
    accepted: int
    quarantined: int
    reasons: dict[Message, int] = {}
    examples: dict[Message, Message] = {}
    columns: dict[Text, ColumnQuality] = {}


def report(accepted: pl.DataFrame, rows: int, reasons: dict[str, int], examples: dict[str, str]) -> QualityReport:
    """Describe a batch of `rows` rows. `accepted` are the valid ones. An invalid row may have several reasons."""
    return QualityReport(
        rows=rows,
        accepted=accepted.height,
        quarantined=rows - accepted.height,
        reasons=reasons,
        examples=examples,
        columns=columns(accepted),
    )


def columns(frame: pl.DataFrame) -> dict[str, ColumnQuality]:
    """Return the numbers of missing and distinct values of each column, and the bounds of numeric columns."""
    if frame.is_empty():
        return {}
    missing = frame.null_count().row(0)
    distinct = frame.select(pl.all().drop_nulls().n_unique()).row(0)
    numeric = [name for name, dtype in frame.schema.items() if dtype.is_numeric()]
    low = frame.select(numeric).min().row(0, named=True) if numeric else {}
    high = frame.select(numeric).max().row(0, named=True) if numeric else {}
    return {
        name: ColumnQuality(missing=missing[i], distinct=distinct[i], low=low.get(name), high=high.get(name))
        for i, name in enumerate(frame.columns)
    }
