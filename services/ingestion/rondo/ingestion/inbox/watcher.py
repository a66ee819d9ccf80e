"""The watched folder: a file `<inbox>/<dataset>/<batch_id>.<ext>` is a batch.

Write the file under another name (ending in .part, say) and rename it into place. A file that is written in place
is taken once it has not changed for a while; a Parquet or Arrow file that still lacks its end is waited for longer, and
then judged as it is.
Afterwards it lies in `done/` or `rejected/` beside, the latter with a `.reason.txt`.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from typing import TYPE_CHECKING

from rondo.chassis.errors import UnavailableError
from rondo.ingestion.batches.submission import Submission, check_names
from rondo.ingestion.errors import IngestionError, UnknownContentTypeError
from rondo.ingestion.inbox.stable_files import Arrivals, Look
from rondo.ingestion.inbox.warnings import Waiting
from rondo.ingestion.validation.file_formats import EXTENSIONS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from rondo.ingestion.batches.service import Answer, Intake
    from rondo.ingestion.batches.spool import Spool
    from rondo.ingestion.settings import IngestionSettings

log = logging.getLogger(__name__)
_LOOK_SECONDS = 0.5
_CHUNK = 1024 * 1024
_UNEXPECTED = "an error that nobody foresaw, {}: {}. The log of the service has more; move the file back to try again"


class Inbox:
    """Looks into the folder twice a second."""

    def __init__(self, folder: Path, settings: IngestionSettings, intake: Intake, spool: Spool) -> None:
        self._folder = folder
        self._waiting = Waiting()
        self._arrivals = Arrivals(folder, settings.inbox_settle_seconds, settings.inbox_patience_seconds, self._waiting)
        self._intake = intake
        self._spool = spool

    async def run(self) -> None:
        """Watch until cancelled."""
        self._folder.mkdir(parents=True, exist_ok=True)
        while True:
            for path in await asyncio.to_thread(self._arrivals.due, time.monotonic()):
                await self._take(path)
            await asyncio.sleep(_LOOK_SECONDS)

    async def _take(self, path: Path) -> None:
        """Take one file; whatever is wrong with it, the others are not kept waiting."""
        try:
            read = await asyncio.to_thread(Look.at, path)
            await asyncio.to_thread(_put_away, path, read, *await self._judged(path))
        except FileNotFoundError as error:
            if await asyncio.to_thread(os.path.lexists, path):
                self._waiting.tell(path, error)
        except (UnavailableError, OSError) as error:
            self._waiting.tell(path, error)
        self._arrivals.again(path)

    async def _judged(self, path: Path) -> tuple[str, str | None]:
        """Return where a file belongs, and why."""
        try:
            return _end(await self._submit(path))
        except (UnavailableError, OSError):
            raise
        except IngestionError as error:
            return "rejected", str(error)
        except Exception as error:  # the boundary: one file's fault must not stop those after it
            log.exception("%s was put away", path)
            return "rejected", _UNEXPECTED.format(type(error).__name__, error)

    async def _submit(self, path: Path) -> Answer:
        dataset, batch_id = path.parent.name, path.stem
        check_names(dataset, batch_id)
        form = EXTENSIONS.get(path.suffix)
        if form is None:
            raise UnknownContentTypeError(path.suffix, tuple(EXTENSIONS))
        async with self._spool.receive(_chunks(path)) as (copy, content):
            return await self._intake.submit(Submission(dataset, batch_id, "folder", form, copy, content))


def _end(answer: Answer) -> tuple[str, str | None]:
    if answer.record.status == "accepted":
        return "done", None
    return "rejected", "\n".join(answer.record.report["reasons"])


def _put_away(path: Path, read: Look, where: str, reason: str | None) -> None:
    if Look.at(path) != read:
        log.info("%s was replaced while it was read: it is read again", path)
        return
    folder = path.parent / where
    folder.mkdir(exist_ok=True)
    if reason is not None:
        (folder / f"{path.name}.reason.txt").write_text(f"{reason}\n")
    path.replace(folder / path.name)


async def _chunks(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        while chunk := await asyncio.to_thread(file.read, _CHUNK):
            yield chunk
