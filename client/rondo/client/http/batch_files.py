"""A batch on its way to ingestion: what kind of file it is, and a name of its own."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from rondo.client.errors import EmptyBatchError, UnknownFormatError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

CONTENT_TYPES = {
    ".parquet": "application/vnd.apache.parquet",
    ".csv": "text/csv",
    ".jsonl": "application/x-ndjson",
    ".ndjson": "application/x-ndjson",
    ".arrows": "application/vnd.apache.arrow.stream",
    ".arrow": "application/vnd.apache.arrow.file",
}
_CHUNK_BYTES = 1 << 20
_ID_DIGITS = 16


def content_type_of(content: bytes | Path, given: str | None) -> str:
    """Return the content type that was given, or the one that the file's suffix names.

    Raises:
        UnknownFormatError: there is neither.

    """
    if given is not None:
        return given
    suffix = content.suffix.lower() if isinstance(content, Path) else ""
    if suffix not in CONTENT_TYPES:
        raise UnknownFormatError(_name_of(content), tuple(CONTENT_TYPES))
    return CONTENT_TYPES[suffix]


def batch_id_of(file: Path) -> str:
    """Return a name that follows from the content alone: the same file twice is the same batch."""
    with file.open("rb") as content:
        return f"sha256-{hashlib.file_digest(content, 'sha256').hexdigest()[:_ID_DIGITS]}"


def size_of(content: bytes | Path) -> int:
    """Return how many bytes a batch has.

    Raises:
        EmptyBatchError: none.

    """
    size = content.stat().st_size if isinstance(content, Path) else len(content)
    if size == 0:
        raise EmptyBatchError(_name_of(content))
    return size


def _name_of(content: bytes | Path) -> str:
    return content.name if isinstance(content, Path) else "the batch in memory"


async def chunks(content: Path, sent: Callable[[int], None] | None = None) -> AsyncIterator[bytes]:
    """Read a file piece by piece; `sent` hears the bytes of each."""
    with content.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            yield chunk
            if sent is not None:
                sent(len(chunk))
