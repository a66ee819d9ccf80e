"""The watched folder: a file `<inbox>/<dataset>/<batch_id>.<ext>` is a batch.

Write the file under another name (ending in .part, say) and rename it into place. A file that is written in place
is taken once it has not changed for a while; a Parquet or Arrow file that still lacks its end is waited for longer, and
then judged as it is.
Afterwards it lies in `done/` or `rejected/` beside, the latter with a `.reason.txt`.
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
import time
from dataclasses import dataclass, replace
from stat import S_ISREG
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
_WAITS = (
    "it can't be read or put away ({}: {}): make it readable and its folder writable, it is tried again until it is"
)
_UNEXPECTED = "an error that nobody foresaw, {}: {}. The log of the service has more; move the file back to try again"
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
        self._told: dict[Path, str] = {}

    async def run(self) -> None:
        """Watch until cancelled."""
        self._folder.mkdir(parents=True, exist_ok=True)
        while True:
            for path in await asyncio.to_thread(self._due, time.monotonic()):
                await self._take(path)
            await asyncio.sleep(_LOOK_SECONDS)

    def _due(self, now: float) -> list[Path]:
        """Look at every file, and return those that are complete."""
        try:
            found = {path: self._look(path, now) for path in self._files()}
        except OSError as error:
            self._tell(self._folder, error)
            return []
        self._seen = {path: seen for path, seen in found.items() if seen}
        self._told = {path: said for path, said in self._told.items() if path in self._seen}
        return [path for path, seen in self._seen.items() if self._is_due(path, seen, now)]

    def _files(self) -> list[Path]:
        return [
            path
            for path in sorted(self._folder.glob("*/*"))
            if not path.name.startswith(".") and path.suffix not in _UNFINISHED
        ]

    def _look(self, path: Path, now: float) -> Seen | None:
        try:
            status = path.lstat()
        except FileNotFoundError:
            return None  # taken away again
        except OSError as error:
            self._tell(path, error)
            return Seen(0, 0, math.inf)  # due when it can be looked at
        if not S_ISREG(status.st_mode):
            return None
        before = self._seen.get(path)
        same = before and (before.size, before.changed_ns) == (status.st_size, status.st_mtime_ns)
        return before if same else Seen(status.st_size, status.st_mtime_ns, now)

    def _is_due(self, path: Path, seen: Seen, now: float) -> bool:
        form = EXTENSIONS.get(path.suffix)
        try:
            whole = form is None or is_whole(path, form)
        except FileNotFoundError:
            return False
        except OSError as error:
            self._tell(path, error)
            return False
        return is_due(seen, now, whole=whole, settle=self._settle, patience=self._patience)

    async def _take(self, path: Path) -> None:
        """Take one file; whatever is wrong with it, the others are not kept waiting."""
        try:
            await asyncio.to_thread(_put_away, path, *await self._judged(path))
        except FileNotFoundError as error:
            if await asyncio.to_thread(os.path.lexists, path):
                self._tell(path, error)
        except (UnavailableError, OSError) as error:
            self._tell(path, error)
        self._wait(path)

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

    def _wait(self, path: Path) -> None:
        """Let a file that is still there settle anew before it is tried again."""
        if seen := self._seen.get(path):
            self._seen[path] = replace(seen, since=time.monotonic())

    def _tell(self, path: Path, error: Exception) -> None:
        """Say why a file waits: once, not at every look."""
        said = str(error) if isinstance(error, UnavailableError) else _WAITS.format(error.__class__.__name__, error)
        if self._told.get(path) != said:
            self._told[path] = said
            log.warning("%s waits in the inbox: %s", path, said)

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
