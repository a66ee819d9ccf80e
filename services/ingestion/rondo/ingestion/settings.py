"""The environment variables of ingestion."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from rondo.chassis.settings import PostgresSettings


class IngestionSettings(PostgresSettings):
    """`data` is the root of the Delta tables, `artifacts` the artifact store, which gets the full reports.

    `inbox` is the watched folder (unset: no folder is watched).
    `max_batch_bytes` limits one batch. `landing_seconds` is how long log rows are buffered before a Delta commit.
    `spec_wait_seconds` is how long a batch waits for the first spec of its dataset.
    `inbox_settle_seconds` is how long a file must be unchanged before it counts as complete, and
    `inbox_incomplete_seconds` the same for a Parquet or Arrow file whose footer is missing.
    """

    service: str = "ingestion"
    data: Path
    artifacts: Annotated[str, Field(min_length=1)]
    inbox: Path | None = None
    max_batch_bytes: Annotated[int, Field(gt=0)] = 256 * 1024 * 1024
    landing_seconds: Annotated[float, Field(ge=0)] = 1.0
    landing_rows: Annotated[int, Field(gt=0)] = 200_000
    spec_wait_seconds: Annotated[float, Field(ge=0)] = 5.0
    inbox_settle_seconds: Annotated[float, Field(gt=0)] = 2.0
    inbox_incomplete_seconds: Annotated[float, Field(gt=0)] = 30.0

    @property
    def spool(self) -> Path:
        """The folder that holds an upload until it is validated, on the same disk as the data."""
        return self.data / ".spool"
