"""A batch as it was sent, and the names that it may have."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rondo.ingestion.errors import BadNameError

if TYPE_CHECKING:
    from pathlib import Path

    from rondo.ingestion.validation.file_formats import Form

_DATASET, _BATCH_ID = re.compile(r"[a-z][a-z0-9_-]{0,62}"), re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


@dataclass(frozen=True)
class Submission:
    """A batch whose bytes lie at `path`; `content` is their digest."""

    dataset: str
    batch_id: str
    source: str
    form: Form
    path: Path
    content: str


def check_names(dataset: str, batch_id: str) -> None:
    """Refuse what could not be the name of a folder or the key of an event.

    Raises:
        BadNameError: one of them is no safe name.

    """
    if not _DATASET.fullmatch(dataset):
        raise BadNameError("the dataset", dataset, "a small letter, then up to 62 of a-z 0-9 _ -")
    if not _BATCH_ID.fullmatch(batch_id):
        raise BadNameError("the batch id", batch_id, "1 to 128 of A-Z a-z 0-9 . _ -, beginning with a letter or digit")
