"""The environment variables of ingestion."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

from pydantic import Field

from rondo.chassis.settings import PostgresSettings
from rondo.contracts.locations import TableRoot, local_folder


class IngestionSettings(PostgresSettings):
    """`data` is the root of the Delta tables, `artifacts` the artifact store: each a folder or a URL.

    The artifact store gets the full reports. `spool` is a local folder for incoming batches, by default in `data` if
    that is a folder. `inbox` is the watched folder (unset: no folder is watched).
    `max_batch_bytes` limits one batch. `landing_seconds` is the time for which log rows are buffered before a Delta
    commit. `spec_wait_seconds` is the time for which a batch waits for the first spec of its dataset. A file counts as
    complete after `inbox_settle_seconds` without a change. For a Parquet or Arrow file without its footer it is
    `inbox_incomplete_seconds`.
    """

    service: str = "ingestion"
    data: TableRoot
    artifacts: Annotated[str, Field(min_length=1)]
    spool: Path | None = None
    inbox: Path | None = None
    max_batch_bytes: Annotated[int, Field(gt=0)] = 256 * 1024 * 1024
    landing_seconds: Annotated[float, Field(ge=0)] = 1.0
    landing_rows: Annotated[int, Field(gt=0)] = 200_000
    spec_wait_seconds: Annotated[float, Field(ge=0)] = 5.0
    inbox_settle_seconds: Annotated[float, Field(gt=0)] = 2.0
    inbox_incomplete_seconds: Annotated[float, Field(gt=0)] = 30.0

    @property
    def spool_folder(self) -> Path:
        """The folder of incoming batches: on the disk of the data, or among the temporary files."""
        if self.spool is not None:
            return self.spool
        folder = local_folder(self.data)
        return folder / ".spool" if folder else Path(tempfile.gettempdir()) / "rondo-ingestion"
