"""The bodies of the HTTP API's answers."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from pydantic import BaseModel

from rondo.contracts.events.data import DataVersion
from rondo.ingestion.batches.report import Details, Headline

if TYPE_CHECKING:
    from rondo.ingestion.validation.contract import Column


class BatchReport(Headline, Details):
    """The report of a batch: the headline and the full report. `quality` is null if the full report was removed."""


class BatchList(BaseModel):
    """The most recently decided batches, newest first."""

    dataset: str
    batches: list[Headline]


class CurrentVersion(BaseModel):
    """The newest version of a dataset. Null before its first batch."""

    dataset: str
    data_version: int | None


class QuarantinedRow(BaseModel):
    """A row that was not accepted. `row` counts from 0. `content` is the original row as JSON text."""

    batch_id: str
    row: int
    reason: str
    content: str
    quarantined_at: datetime


class QuarantinedRows(BaseModel):
    """Quarantined rows. Rows of the newest batch come first."""

    dataset: str
    rows: list[QuarantinedRow]


class ColumnView(BaseModel):
    """One column of the contract. Bounds are inclusive. `models` are those that require it."""

    name: str
    kind: str
    optional: bool
    min: float | None
    max: float | None
    values: list[str] | None
    expected: str
    models: list[str]

    @classmethod
    def of(cls, column: Column) -> ColumnView:
        return cls(
            name=column.name,
            kind=column.kind,
            optional=column.optional,
            min=column.low,
            max=column.high,
            values=sorted(column.values) if column.values is not None else None,
            expected=column.expected,
            models=list(column.models),
        )


class DatasetView(BaseModel):
    """The contract of a dataset, and its current version, which is null before the first accepted batch.

    `declared` is true if the dataset has a spec. Otherwise the contract combines the specs of its models.
    """

    dataset: str
    data_version: DataVersion | None
    contract: str
    declared: bool
    columns: list[ColumnView]
