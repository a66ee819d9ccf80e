"""Stores the bytes of an incoming batch on disk while it is validated. They are never in memory as a whole."""

from __future__ import annotations

import hashlib
import shutil
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING

from rondo.ingestion.delta import storage_errors
from rondo.ingestion.errors import BatchTooLargeError, UnreadableFileError

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator, Iterator


@dataclass(frozen=True)
class SpooledFile:
    """An incoming file on disk. `content` is its digest. `damage` is set if only its start could be decompressed."""

    path: Path
    content: str
    damage: UnreadableFileError | None = None


class Spool:
    """A folder of incoming batches, each of at most `limit_bytes`."""

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        self._folder = folder
        self.limit_bytes = limit_bytes

    def clear(self) -> None:
        """Delete the incomplete uploads of an earlier process. Their senders got no answer."""
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True, exist_ok=True)

    @asynccontextmanager
    async def receive(self, chunks: AsyncIterable[bytes]) -> AsyncIterator[SpooledFile]:
        """Write chunks to a file, which is deleted at the end.

        An UnreadableFileError of the source of the chunks becomes `damage`. Other errors of the source are raised.

        Raises:
            BatchTooLargeError: there are more bytes than the limit.
            UnavailableError: the disk is full or can't be written.

        """
        with self._writing():
            file = NamedTemporaryFile(dir=self._folder, delete=False)  # noqa: SIM115 - closed before the body reads it
        path = Path(file.name)
        try:
            digest, damage = hashlib.sha256(), None
            try:
                async for chunk in self._limited(chunks):
                    digest.update(chunk)
                    with self._writing():
                        file.write(chunk)
            except UnreadableFileError as error:
                damage = error
            with self._writing():
                file.close()
            yield SpooledFile(path, f"sha256:{digest.hexdigest()}", damage)
        finally:
            with suppress(OSError):  # flushing fails on a full disk. The file is deleted anyway
                file.close()
            path.unlink(missing_ok=True)  # noqa: ASYNC240 - one system call

    async def _limited(self, chunks: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
        size = 0
        async for chunk in chunks:
            size += len(chunk)
            if size > self.limit_bytes:
                raise BatchTooLargeError(self.limit_bytes)
            yield chunk

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise storage_errors.storage_unavailable(error, self._folder) from error
