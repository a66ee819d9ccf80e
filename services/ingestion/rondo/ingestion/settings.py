"""What ingestion is told by its environment."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from rondo.chassis.settings import PostgresSettings


class IngestionSettings(PostgresSettings):
    """`data` is the root of the Delta tables, `inbox` the watched folder (none: no folder is watched).

    `max_batch_bytes` bounds one batch; `landing_seconds` is how long the logs are gathered before a Delta commit, and
    `inbox_settle_seconds` how long a file must not have changed to count as complete. `spec_patience_seconds` is how
    long a batch waits for the spec of its dataset: one that was applied a moment ago is on its way.
    """

    service: str = "ingestion"
    data: Path
    inbox: Path | None = None
    max_batch_bytes: Annotated[int, Field(gt=0)] = 256 * 1024 * 1024
    landing_seconds: Annotated[float, Field(ge=0)] = 1.0
    landing_rows: Annotated[int, Field(gt=0)] = 200_000
    spec_patience_seconds: Annotated[float, Field(ge=0)] = 5.0
    inbox_settle_seconds: Annotated[float, Field(gt=0)] = 2.0
    inbox_patience_seconds: Annotated[float, Field(gt=0)] = 30.0

    @property
    def spool(self) -> Path:
        """Where an upload lies until it has been judged: on the disk of the data."""
        return self.data / ".spool"
