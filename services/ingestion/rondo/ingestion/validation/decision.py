"""Decides what becomes of a batch: its good rows are published and its bad ones quarantined, or it is refused whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from rondo.contracts.times import MOST_AHEAD
from rondo.ingestion.validation import quality, report_limits
from rondo.ingestion.validation.casting import wanted
from rondo.ingestion.validation.rules import RowChecks, check_rows, schema_problems, texts_for_numbers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from rondo.contracts.events.data import QualityReport
    from rondo.ingestion.validation.contract import Contract
    from rondo.ingestion.validation.file_formats import FileFormat

_TOP = 5
ROW, REASON, CONTENT = "row", "reason", "content"


@dataclass(frozen=True)
class AcceptedBatch:
    """A batch that becomes part of the data.

    `rows` has the contract's columns. `quarantined` has `row` (from 0), `reason` (one or more, joined by `; `) and
    `content` (the row as it came, as JSON text).
    """

    rows: pl.DataFrame
    quarantined: pl.DataFrame
    quality: QualityReport
    event_time_from: datetime
    event_time_to: datetime
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class RejectedBatch:
    """A batch of which nothing is used; each reason says what to do about it."""

    reasons: tuple[str, ...]
    quality: QualityReport | None = None


def decide(
    frame: pl.DataFrame, file_format: FileFormat, contract: Contract, now: datetime
) -> AcceptedBatch | RejectedBatch:
    """Validate a batch by the contract of its dataset. Columns that are not in the contract are dropped and noted.

    A file format that keeps types may have no texts for numbers. `now` is the wall clock's time, by
    which an event time is in the future.
    """
    if frame.is_empty():
        return RejectedBatch(
            (f"the batch is empty: it has {len(frame.columns)} columns and no row; send at least one row",)
        )
    if problems := schema_problems(frame, file_format, contract):
        return RejectedBatch(report_limits.first(problems))
    checks = check_rows(frame, contract, now + MOST_AHEAD)
    if not checks.bad.width:
        return _admitted(frame, file_format, checks, contract)
    is_bad = checks.bad.select(pl.any_horizontal(pl.all())).to_series()
    if is_bad.sum() == frame.height or is_bad.sum() > contract.max_bad_share * frame.height:
        return _refused(frame, checks, contract, is_bad)
    return _admitted(frame, file_format, checks, contract, is_bad)


def _admitted(
    frame: pl.DataFrame, file_format: FileFormat, checks: RowChecks, contract: Contract, is_bad: pl.Series | None = None
) -> AcceptedBatch:
    rows = checks.typed if is_bad is None else checks.typed.filter(~is_bad)
    times = rows[contract.event_time]
    return AcceptedBatch(
        rows=rows,
        quarantined=_quarantined(frame, checks, is_bad),
        quality=quality.report(rows, frame.height, _counts(checks)),
        event_time_from=times.min(),  # type: ignore[arg-type] # a column of times has times
        event_time_to=times.max(),  # type: ignore[arg-type]
        notes=report_limits.first(list(_notes(frame, file_format, contract))),
    )


def _notes(frame: pl.DataFrame, file_format: FileFormat, contract: Contract) -> Iterator[str]:
    if len(contract.names) > report_limits.MOST:
        yield f"`quality.columns` describes {report_limits.MOST} of {len(contract.names):,} columns"
    known = set(contract.names)
    for name in frame.columns:
        if name not in known:
            yield f"column {report_limits.cut(name)!r} is not in the contract and was dropped"
    if file_format != "CSV":
        yield from (
            f"column {column.name!r} has texts, which were read as {wanted(column.kind)}: send it with that type"
            for column in texts_for_numbers(frame, contract)
        )


def _refused(frame: pl.DataFrame, checks: RowChecks, contract: Contract, is_bad: pl.Series) -> RejectedBatch:
    bad, counts = int(is_bad.sum()), _counts(checks)
    head = (
        f"{bad:,} of {frame.height:,} rows ({bad / frame.height:.1%}) are bad, and the contract allows "
        f"{contract.max_bad_share:.1%} (data.max_bad_share): correct the rows named below, or allow more in the spec"
    )
    top = sorted(counts, key=lambda reason: -counts[reason])[:_TOP]
    lines = (f"{reason}: {counts[reason]:,} rows, {_example(frame, checks, reason)}" for reason in top)
    report = quality.report(checks.typed.clear(), frame.height, counts)
    return RejectedBatch((head, *lines), report)


def _example(frame: pl.DataFrame, checks: RowChecks, reason: str) -> str:
    at = checks.bad[reason].arg_max() or 0
    value = frame[checks.where[reason]][at]
    return f"such as row {at + 1} with {report_limits.cut(value) if isinstance(value, str) else value!r}"


def _counts(checks: RowChecks) -> dict[str, int]:
    return dict(checks.bad.sum().row(0, named=True)) if checks.bad.width else {}


def _quarantined(frame: pl.DataFrame, checks: RowChecks, is_bad: pl.Series | None) -> pl.DataFrame:
    if is_bad is None:
        return pl.DataFrame(schema={ROW: pl.Int64, REASON: pl.String, CONTENT: pl.String})
    bad = checks.bad.filter(is_bad)
    why = pl.concat_str(
        [pl.when(pl.col(name)).then(pl.lit(name)) for name in bad.columns], separator="; ", ignore_nulls=True
    )
    return bad.select(
        is_bad.arg_true().cast(pl.Int64).alias(ROW),
        why.alias(REASON),
        _as_json(frame.filter(is_bad)).alias(CONTENT),
    )


def _as_json(rows: pl.DataFrame) -> pl.Series:
    # JSON has no NaN and no infinity; as text they stay what they were.
    odd = [n for n, dtype in rows.schema.items() if dtype.is_float() and not rows[n].is_finite().all()]
    return rows.with_columns(pl.col(odd).cast(pl.String)).select(pl.struct(pl.all()).struct.json_encode()).to_series()
