"""What an inference gives: rows by the version that answered them, and rows that are refused."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    import pyarrow as pa

    from rondo.serving.errors import RequestRefusedError
    from rondo.serving.models.loaded_version import LoadedVersion
    from rondo.serving.outputs.schema import Outputs
    from rondo.serving.requests.rows import Rows


@dataclass(frozen=True, slots=True)
class Scored:
    """N rows that one version scored: their numbers among all rows, their outputs, and their log.

    `sent` is whether these outputs are the answers; others are logged alone, to compare versions.
    """

    version: LoadedVersion
    numbers: Sequence[int]
    rows: Rows
    outputs: Outputs
    made_at: datetime
    log: pa.RecordBatch
    sent: bool = True

    def without_rows(self) -> Scored:
        """Return the log of this without its rows, which says what the inference cost."""
        return replace(self, log=self.log.slice(0, 0), sent=False)


@dataclass(frozen=True, slots=True)
class Inference:
    """What was answered, by version, why other rows are refused, by row, and what is logged without being sent."""

    scored: Sequence[Scored]
    refused: dict[int, RequestRefusedError]
    silent: Sequence[Scored] = ()
