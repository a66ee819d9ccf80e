"""Decisions about batches of rides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl
from rondo.ingestion.validation.arrow_columns import RawBatch
from rondo.ingestion.validation.contract import contract_of
from rondo.ingestion.validation.decision import AcceptedBatch, RejectedBatch, decide

from tests.ingestion.builders import NOW, rides, spec

if TYPE_CHECKING:
    from rondo.contracts.batch_files.formats import FileFormat

CONTRACT = contract_of("rides", [spec()])
DUPLICATE = (
    "ride: duplicate, an earlier row of this batch has the same ride and started: send a correction in a later batch"
)


def accepted(frame: pl.DataFrame, file_format: FileFormat = "CSV") -> AcceptedBatch:
    decision = decide(RawBatch(frame), file_format, CONTRACT, NOW)
    assert isinstance(decision, AcceptedBatch), decision
    return decision


def refused(frame: pl.DataFrame, file_format: FileFormat = "CSV") -> RejectedBatch:
    decision = decide(RawBatch(frame), file_format, CONTRACT, NOW)
    assert isinstance(decision, RejectedBatch)
    return decision


def changed(column: str, value: Any) -> pl.DataFrame:
    """Return ten rows. The first has another value, in a column whose type can hold it."""
    frame = rides(10)
    values = [value, *frame[column].to_list()[1:]]
    return frame.with_columns(pl.Series(column, values, strict=False))
