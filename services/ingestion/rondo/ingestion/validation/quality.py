"""What a batch looked like, in figures."""

from __future__ import annotations

import polars as pl

from rondo.contracts.events.data import ColumnQuality, QualityReport
from rondo.ingestion.validation import report_limits


def report(accepted: pl.DataFrame, rows: int, reasons: dict[str, int]) -> QualityReport:
    """Describe a batch of `rows`, of which those in `accepted` were good; a bad row may count for several reasons."""
    return QualityReport(
        rows=rows,
        accepted=accepted.height,
        quarantined=rows - accepted.height,
        reasons=report_limits.commonest(reasons),
        columns=columns(accepted.select(accepted.columns[: report_limits.MOST])),
    )


def columns(frame: pl.DataFrame) -> dict[str, ColumnQuality]:
    """Return missing and distinct values of each column, and the bounds of the numeric ones."""
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
