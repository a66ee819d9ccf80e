"""The watched folder: a file `<inbox>/<dataset>/<batch_id>.<ext>` is a batch.

Write the file under another name (ending in .part, say) and rename it into place. A file that is written in place
is taken once it has not changed for a while; a Parquet or Arrow file that still lacks its end is waited for longer, and
then judged as it is.
Afterwards it lies in `done/` or `rejected/` beside, the latter with a `.reason.txt`.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rondo.chassis.failures import UnavailableError
from rondo.ingestion.errors import IngestionError, UnknownContentTypeError
from rondo.ingestion.reading import EXTENSIONS, is_whole
from rondo.ingestion.submission import Submission, check_names

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from rondo.ingestion.intake import Answer, Intake
    from rondo.ingestion.settings import IngestionSettings
    from rondo.ingestion.spool import Spool

log = logging.getLogger(__name__)
_LOOK_SECONDS = 0.5
_CHUNK = 1024 * 1024
_UNFINISHED = (".tmp", ".part", ".crdownload")


@dataclass(frozen=True)
class Seen:
    """A file as it looked, and since when it has looked so (seconds of a monotonic clock)."""

    size: int
    changed_ns: int
    since: float


def is_due(seen: Seen, now: float, *, whole: bool, settle: float, patience: float) -> bool:
    """Decide whether a file is complete: unchanged for `settle` seconds, or `patience` where its end is missing."""
    return now - seen.since >= (settle if whole else patience)


class Inbox:
    """Looks into the folder twice a second."""

    def __init__(self, folder: Path, settings: IngestionSettings, intake: Intake, spool: Spool) -> None:
        self._folder = folder
        self._settle, self._patience = settings.inbox_settle_seconds, settings.inbox_patience_seconds
        self._intake = intake
        self._spool = spool
        self._seen: dict[Path, Seen] = {}

    async def run(self) -> None:
        """Watch until cancelled."""
        self._folder.mkdir(parents=True, exist_ok=True)
        while True:
            for path in await asyncio.to_thread(self._due, time.monotonic()):
                await self._take(path)
            await asyncio.sleep(_LOOK_SECONDS)

    def _due(self, now: float) -> list[Path]:
        """Look at every file, and return those that are complete."""
        found = {path: self._look(path, now) for path in self._files()}
        self._seen = {path: seen for path, seen in found.items() if seen}
        return [path for path, seen in self._seen.items() if self._is_due(path, seen, now)]

    def _files(self) -> list[Path]:
        return [
            path
            for path in sorted(self._folder.glob("*/*"))
            if path.is_file()
            and not path.is_symlink()
            and not path.name.startswith(".")
            and path.suffix not in _UNFINISHED
        ]

    def _look(self, path: Path, now: float) -> Seen | None:
        try:
            status = path.stat()
        except FileNotFoundError:
            return None  # taken away again
        before = self._seen.get(path)
        same = before and (before.size, before.changed_ns) == (status.st_size, status.st_mtime_ns)
        return before if same else Seen(status.st_size, status.st_mtime_ns, now)

    def _is_due(self, path: Path, seen: Seen, now: float) -> bool:
        form = EXTENSIONS.get(path.suffix)
        whole = form is None or is_whole(path, form)
        return is_due(seen, now, whole=whole, settle=self._settle, patience=self._patience)

    async def _take(self, path: Path) -> None:
        try:
            answer = await self._submit(path)
        except UnavailableError as error:
            log.warning("%s waits in the inbox: %s", path.name, error)
        except IngestionError as error:
            await asyncio.to_thread(_put_away, path, "rejected", str(error))
        else:
            await asyncio.to_thread(_put_away, path, *_end(answer))
            self._seen.pop(path, None)

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


def _put_away(path: Path, where: str, reason: str | None) -> None:
    folder = path.parent / where
    folder.mkdir(exist_ok=True)
    if reason is not None:
        (folder / f"{path.name}.reason.txt").write_text(f"{reason}\n")
    path.replace(folder / path.name)


async def _chunks(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        while chunk := await asyncio.to_thread(file.read, _CHUNK):
            yield chunk
