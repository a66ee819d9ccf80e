"""Decides what becomes of a batch: its good rows are published and its bad ones quarantined, or it is refused whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from rondo.ingestion.batches import report_limits
from rondo.ingestion.validation import quality
from rondo.ingestion.validation.casting import wanted
from rondo.ingestion.validation.event_times import latest
from rondo.ingestion.validation.rules import Findings, inspect, misfits, texts_for_numbers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from rondo.contracts.events.data import QualityReport
    from rondo.ingestion.validation.contract import Contract
    from rondo.ingestion.validation.file_formats import Form

_TOP = 5
ROW, REASON, CONTENT = "row", "reason", "content"


@dataclass(frozen=True)
class Admitted:
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
class Refused:
    """A batch of which nothing is used; each reason says what to do about it."""

    reasons: tuple[str, ...]
    quality: QualityReport | None = None


def admit(frame: pl.DataFrame, form: Form, contract: Contract, now: datetime) -> Admitted | Refused:
    """Judge a batch by the contract of its dataset. Columns that the contract does not know are dropped and noted.

    `form` is that of its file: one that keeps types may have no texts for numbers. `now` is the wall clock's time, by
    which an event time is in the future.
    """
    if frame.is_empty():
        return Refused((f"the batch is empty: it has {len(frame.columns)} columns and no row; send at least one row",))
    if problems := misfits(frame, form, contract):
        return Refused(report_limits.first(problems))
    findings = inspect(frame, contract, latest(now))
    if not findings.bad.width:
        return _admitted(frame, form, findings, contract)
    is_bad = findings.bad.select(pl.any_horizontal(pl.all())).to_series()
    if is_bad.sum() == frame.height or is_bad.sum() > contract.max_bad_share * frame.height:
        return _refused(frame, findings, contract, is_bad)
    return _admitted(frame, form, findings, contract, is_bad)


def _admitted(
    frame: pl.DataFrame, form: Form, findings: Findings, contract: Contract, is_bad: pl.Series | None = None
) -> Admitted:
    rows = findings.typed if is_bad is None else findings.typed.filter(~is_bad)
    times = rows[contract.event_time]
    return Admitted(
        rows=rows,
        quarantined=_quarantined(frame, findings, is_bad),
        quality=quality.report(rows, frame.height, _counts(findings)),
        event_time_from=times.min(),  # type: ignore[arg-type] # a column of times has times
        event_time_to=times.max(),  # type: ignore[arg-type]
        notes=report_limits.first(list(_notes(frame, form, contract))),
    )


def _notes(frame: pl.DataFrame, form: Form, contract: Contract) -> Iterator[str]:
    if len(contract.names) > report_limits.MOST:
        yield f"`quality.columns` describes {report_limits.MOST} of {len(contract.names):,} columns"
    known = set(contract.names)
    for name in frame.columns:
        if name not in known:
            yield f"column {report_limits.cut(name)!r} is not in the contract and was dropped"
    if form != "CSV":
        yield from (
            f"column {column.name!r} has texts, which were read as {wanted(column.kind)}: send it with that type"
            for column in texts_for_numbers(frame, contract)
        )


def _refused(frame: pl.DataFrame, findings: Findings, contract: Contract, is_bad: pl.Series) -> Refused:
    bad, counts = int(is_bad.sum()), _counts(findings)
    head = (
        f"{bad:,} of {frame.height:,} rows ({bad / frame.height:.1%}) are bad, and the contract allows "
        f"{contract.max_bad_share:.1%} (data.max_bad_share): correct the rows named below, or allow more in the spec"
    )
    top = sorted(counts, key=lambda reason: -counts[reason])[:_TOP]
    lines = (f"{reason}: {counts[reason]:,} rows, {_example(frame, findings, reason)}" for reason in top)
    report = quality.report(findings.typed.clear(), frame.height, counts)
    return Refused((head, *lines), report)


def _example(frame: pl.DataFrame, findings: Findings, reason: str) -> str:
    at = findings.bad[reason].arg_max() or 0
    value = frame[findings.where[reason]][at]
    return f"such as row {at + 1} with {report_limits.cut(value) if isinstance(value, str) else value!r}"


def _counts(findings: Findings) -> dict[str, int]:
    return dict(findings.bad.sum().row(0, named=True)) if findings.bad.width else {}


def _quarantined(frame: pl.DataFrame, findings: Findings, is_bad: pl.Series | None) -> pl.DataFrame:
    if is_bad is None:
        return pl.DataFrame(schema={ROW: pl.Int64, REASON: pl.String, CONTENT: pl.String})
    bad = findings.bad.filter(is_bad)
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
