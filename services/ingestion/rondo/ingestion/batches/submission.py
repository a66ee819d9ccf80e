"""A batch as it was sent, and the rules for its names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rondo.ingestion.errors import InvalidNameError

if TYPE_CHECKING:
    from rondo.contracts.batch_files.formats import FileFormat
    from rondo.ingestion.batches.spool import SpooledFile

DATASET, BATCH_ID = r"^[a-z][a-z0-9_-]{0,62}$", r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$"


@dataclass(frozen=True)
class Submission:
    """A batch whose bytes are in `file`."""

    dataset: str
    batch_id: str
    source: str
    file_format: FileFormat
    file: SpooledFile


def check_names(dataset: str | None = None, batch_id: str | None = None) -> None:
    """Check that the given names can be names of folders and keys of events.

    Raises:
        InvalidNameError: one of them can't.

    """
    if dataset is not None and not re.fullmatch(DATASET, dataset):
        raise InvalidNameError("dataset name", dataset, "one of a-z, then up to 62 of a-z 0-9 _ -")
    if batch_id is not None and not re.fullmatch(BATCH_ID, batch_id):
        raise InvalidNameError("batch id", batch_id, "1 to 128 of A-Z a-z 0-9 . _ -, starting with one of A-Z a-z 0-9")
