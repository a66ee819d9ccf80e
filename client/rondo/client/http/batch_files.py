"""The file of a batch: its content type, its id and its size."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from rondo.client.errors import EmptyBatchError, UnknownFormatError
from rondo.contracts.batch_files.formats import CONTENT_TYPES, split_name

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

_CHUNK_BYTES = 1 << 20
_ID_DIGITS = 16


def content_type_of(content: bytes | Path, given: str | None) -> str:
    """Return `given`, or the content type of the file's suffix if it is None.

    A `.gz` after the suffix is ignored, because ingestion decompresses the file.

    Raises:
        UnknownFormatError: the suffix is unknown.

    """
    if given is not None:
        return given
    suffix = suffix_of(content) if isinstance(content, Path) else ""
    if suffix not in CONTENT_TYPES:
        raise UnknownFormatError(_name_of(content), tuple(CONTENT_TYPES))
    return CONTENT_TYPES[suffix]


def suffix_of(file: Path) -> str:
    """Return the suffix that names the format: `.csv` of `January.CSV` and of `january.csv.gz`."""
    return split_name(file.name)[1]


def batch_id_of(file: Path) -> str:
    """Return an id that only depends on the content, so that the same file is the same batch."""
    with file.open("rb") as content:
        return f"sha256-{hashlib.file_digest(content, 'sha256').hexdigest()[:_ID_DIGITS]}"


def size_of(content: bytes | Path) -> int:
    """Return the size of a batch in bytes.

    Raises:
        EmptyBatchError: the size is 0.

    """
    size = content.stat().st_size if isinstance(content, Path) else len(content)
    if size == 0:
        raise EmptyBatchError(_name_of(content))
    return size


def _name_of(content: bytes | Path) -> str:
    return content.name if isinstance(content, Path) else "the batch in memory"


async def chunks(content: Path, sent: Callable[[int], None] | None = None) -> AsyncIterator[bytes]:
    """Yield the file in chunks. `sent` is called with the size of each chunk when it has been taken."""
    with content.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            yield chunk
            if sent is not None:
                sent(len(chunk))
