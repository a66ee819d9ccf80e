"""The watched folder: a file `<inbox>/<dataset>/<batch_id>.<ext>`, or the same with the suffix `.gz`, is a batch.

A writer creates the file under another name (for example with the suffix .part) and renames it. A file that is written
under its final name is read once it has not changed for a while. A Parquet or Arrow file without its footer gets more
time, and is then read as it is. A processed file is moved to the folder `done/` or `rejected/` next to it, a rejected
one together with a `.reason.txt`.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from contextlib import aclosing
from typing import TYPE_CHECKING

from rondo.chassis.errors import UnavailableError, panics_as_errors
from rondo.contracts.batch_files.formats import EXTENSIONS, split_name
from rondo.ingestion.batches.compression import decoded
from rondo.ingestion.batches.submission import Submission, check_names
from rondo.ingestion.errors import IngestionError, UnknownContentTypeError
from rondo.ingestion.inbox.stable_files import FileStat, FileWarnings, StableFiles

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from rondo.ingestion.batches.service import BatchService, SubmissionResult
    from rondo.ingestion.batches.spool import Spool
    from rondo.ingestion.settings import IngestionSettings

log = logging.getLogger(__name__)
_SCAN_SECONDS = 0.5
_CHUNK = 1024 * 1024
_UNEXPECTED = "unexpected error {}: {}. The log of ingestion has the details; move the file back to retry"


class InboxWatcher:
    """Scans the folder twice a second."""

    def __init__(self, folder: Path, settings: IngestionSettings, service: BatchService, spool: Spool) -> None:
        self._folder = folder
        self._warnings = FileWarnings()
        self._files = StableFiles(
            folder, settings.inbox_settle_seconds, settings.inbox_incomplete_seconds, self._warnings
        )
        self._service = service
        self._spool = spool

    async def run(self) -> None:
        """Watch until cancelled."""
        self._folder.mkdir(parents=True, exist_ok=True)
        while True:
            for path in await asyncio.to_thread(self._files.complete, time.monotonic()):
                await self._process(path)
            await asyncio.sleep(_SCAN_SECONDS)

    async def _process(self, path: Path) -> None:
        """Submit one file and move it. A failure of one file does not stop the others."""
        try:
            read = await asyncio.to_thread(FileStat.at, path)
            await asyncio.to_thread(_move, path, read, *await self._result(path))
        except FileNotFoundError as error:
            if await asyncio.to_thread(os.path.lexists, path):
                self._warnings.warn(path, error)
        except (UnavailableError, OSError) as error:
            self._warnings.warn(path, error)
        self._files.restart(path)

    async def _result(self, path: Path) -> tuple[str, str | None]:
        """Submit a file. Return the folder to move it to, and the reason of a rejection."""
        try:
            with panics_as_errors():
                return _folder_of(await self._submit(path))
        except (UnavailableError, OSError):
            raise
        except IngestionError as error:
            return "rejected", str(error)
        except Exception as error:  # the boundary: the failure of one file must not stop the next ones
            log.exception("%s is rejected", path)
            return "rejected", _UNEXPECTED.format(type(error).__name__, error)

    async def _submit(self, path: Path) -> SubmissionResult:
        dataset, (batch_id, suffix) = path.parent.name, split_name(path.name)
        check_names(dataset, batch_id)
        file_format = EXTENSIONS.get(suffix)
        if file_format is None:
            raise UnknownContentTypeError(suffix or path.suffix, tuple(EXTENSIONS))
        async with aclosing(_chunks(path)) as chunks, self._spool.receive(decoded(chunks, None)) as file:
            return await self._service.submit(Submission(dataset, batch_id, "folder", file_format, file))


def _folder_of(result: SubmissionResult) -> tuple[str, str | None]:
    if result.record.status == "accepted":
        return "done", None
    return "rejected", "\n".join(result.record.headline["reasons"])


def _move(path: Path, read: FileStat, name: str, reason: str | None) -> None:
    if FileStat.at(path) != read:
        log.info("%s was replaced while it was read: it is read again", path)
        return
    folder = path.parent / name
    folder.mkdir(exist_ok=True)
    if reason is not None:
        (folder / f"{path.name}.reason.txt").write_text(f"{reason}\n")
    path.replace(folder / path.name)


async def _chunks(path: Path) -> AsyncGenerator[bytes, None]:
    with path.open("rb") as file:
        while chunk := await asyncio.to_thread(file.read, _CHUNK):
            yield chunk
