"""Decides about a batch: its valid rows are published and its invalid ones quarantined, or it is rejected whole."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import polars as pl

from rondo.contracts.figures import counted
from rondo.contracts.times import MOST_AHEAD
from rondo.ingestion.validation import quality, quarantine
from rondo.ingestion.validation.rules import RowChecks, check_rows
from rondo.ingestion.validation.schema import schema_notes, schema_problems, unknown_columns
from rondo.ingestion.validation.shorten import excerpt

if TYPE_CHECKING:
    from datetime import datetime

    from rondo.contracts.batch_files.formats import FileFormat
    from rondo.ingestion.validation.arrow_columns import RawBatch
    from rondo.ingestion.validation.contract import Contract
    from rondo.ingestion.validation.quality import QualityReport

_TOP = 5
ROW, REASON, CONTENT = "row", "reason", "content"


@dataclass(frozen=True)
class AcceptedBatch:
    """A batch that becomes part of the data.

    `rows` has the contract's columns. `quarantined` has `row` (from 0), `reason` (one or more, joined by `; `) and
    `content` (the original row as JSON text). `dropped_columns` are not in the contract.
    """

    rows: pl.DataFrame
    quarantined: pl.DataFrame
    quality: QualityReport
    event_time_from: datetime
    event_time_to: datetime
    notes: tuple[str, ...] = ()
    dropped_columns: tuple[str, ...] = ()


@dataclass(frozen=True)
class RejectedBatch:
    """A batch that is rejected as a whole. Each reason says what to do about it."""

    reasons: tuple[str, ...]
    quality: QualityReport | None = None


def decide(
    batch: RawBatch, file_format: FileFormat, contract: Contract, now: datetime
) -> AcceptedBatch | RejectedBatch:
    """Validate a batch by the contract of its dataset. `now` is the wall clock's time."""
    frame = batch.frame
    if frame.is_empty():
        columns = len(frame.columns) + len(batch.unsupported)
        return RejectedBatch(
            (f"the batch is empty: it has {counted(columns, 'column')} and no row; send at least one row",)
        )
    if problems := schema_problems(batch, file_format, contract):
        return RejectedBatch(tuple(problems))
    checks = check_rows(batch, contract, now + MOST_AHEAD)
    is_bad = checks.bad.select(pl.any_horizontal(pl.all())).to_series() if checks.bad.width else _none_of(frame)
    if is_bad.any() and (is_bad.all() or is_bad.sum() > contract.max_bad_share * frame.height):
        return _rejected(frame, checks, contract, is_bad)
    return replace(
        _accepted(frame, checks, contract, is_bad),
        notes=tuple(schema_notes(batch, file_format, contract)),
        # Only names that a spec may have are listed, because some others can't be stored.
        dropped_columns=tuple(
            name for name in unknown_columns(batch, contract) if name.isascii() and name.isidentifier()
        ),
    )


def _none_of(frame: pl.DataFrame) -> pl.Series:
    return pl.repeat(value=False, n=frame.height, eager=True)


def _accepted(frame: pl.DataFrame, checks: RowChecks, contract: Contract, is_bad: pl.Series) -> AcceptedBatch:
    rows = checks.typed.filter(~is_bad)
    times = rows[contract.event_time]
    return AcceptedBatch(
        rows=rows,
        quarantined=_quarantined(frame, checks, is_bad),
        quality=quality.report(rows, frame.height, _counts(checks), _examples(frame, checks)),
        event_time_from=times.min(),  # type: ignore[arg-type] # a column of times has times
        event_time_to=times.max(),  # type: ignore[arg-type]
    )


def _rejected(frame: pl.DataFrame, checks: RowChecks, contract: Contract, is_bad: pl.Series) -> RejectedBatch:
    bad, counts = int(is_bad.sum()), _counts(checks)
    key, allowed, share = contract.key_of_spec("max_bad_share"), contract.max_bad_share, bad / frame.height
    head = (
        f"{bad:,} of {counted(frame.height, 'row')} ({share:.1%}) are bad, and the contract allows {allowed:.1%}"
        f" ({key}): correct the rows named below, or allow more in the spec"
    )
    top = sorted(counts, key=lambda reason: -counts[reason])[:_TOP]
    examples = _examples(frame, checks)
    lines = (f"{reason}: {counted(counts[reason], 'row')}, such as {examples[reason]}" for reason in top)
    return RejectedBatch((head, *lines), quality.report(checks.typed.clear(), frame.height, counts, examples))


def _examples(frame: pl.DataFrame, checks: RowChecks) -> dict[str, str]:
    """Return the first row of each reason, counted from 1, with the value that the reason is about."""
    return {reason: _example(frame, checks, reason) for reason in checks.bad.columns}


def _example(frame: pl.DataFrame, checks: RowChecks, reason: str) -> str:
    row = checks.bad[reason].arg_max() or 0
    value = frame[checks.where[reason]][row]
    shown = repr(excerpt(value)) if isinstance(value, str) else excerpt(repr(value))
    return f"row {row + 1}" if value is None else f"row {row + 1} with {shown}"


def _counts(checks: RowChecks) -> dict[str, int]:
    return dict(checks.bad.sum().row(0, named=True)) if checks.bad.width else {}


def _quarantined(frame: pl.DataFrame, checks: RowChecks, is_bad: pl.Series) -> pl.DataFrame:
    if not is_bad.any():
        return pl.DataFrame(schema={ROW: pl.Int64, REASON: pl.String, CONTENT: pl.String})
    bad = checks.bad.filter(is_bad)
    reasons = pl.concat_str(
        [pl.when(pl.col(name)).then(pl.lit(name)) for name in bad.columns], separator="; ", ignore_nulls=True
    )
    return bad.select(
        is_bad.arg_true().cast(pl.Int64).alias(ROW),
        reasons.alias(REASON),
        quarantine.as_json(frame.filter(is_bad)).alias(CONTENT),
    )
