"""Where the bytes of a batch lie while it is judged: they go straight to disk, never as a whole into memory."""

from __future__ import annotations

import hashlib
import shutil
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING

from rondo.ingestion.delta import disk_errors
from rondo.ingestion.errors import BatchTooLargeError

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator, Iterator


class Spool:
    """A folder of incoming batches, none of them larger than `limit_bytes`."""

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        self._folder = folder
        self.limit_bytes = limit_bytes

    def clear(self) -> None:
        """Forget what an earlier process left half received: nobody was told that it had arrived."""
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True, exist_ok=True)

    @asynccontextmanager
    async def receive(self, chunks: AsyncIterable[bytes]) -> AsyncIterator[tuple[Path, str]]:
        """Write chunks to a file; yields it and the digest of its bytes, and deletes it at the end.

        What goes wrong with the source of the chunks is its own error: it says nothing of this disk.

        Raises:
            BatchTooLargeError: there are more bytes than the limit.
            UnavailableError: the disk is full or can't be written.

        """
        with self._writing():
            file = NamedTemporaryFile(dir=self._folder, delete=False)  # noqa: SIM115 - closed before the body reads it
        path = Path(file.name)
        try:
            digest, size = hashlib.sha256(), 0
            async for chunk in chunks:
                size += len(chunk)
                if size > self.limit_bytes:
                    raise BatchTooLargeError(self.limit_bytes)
                digest.update(chunk)
                with self._writing():
                    file.write(chunk)
            with self._writing():
                file.close()
            yield path, f"sha256:{digest.hexdigest()}"
        finally:
            with suppress(OSError):  # the last bytes found no room; the file goes anyway
                file.close()
            path.unlink(missing_ok=True)  # noqa: ASYNC240 - one call of the system

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise disk_errors.away(error, self._folder) from error
