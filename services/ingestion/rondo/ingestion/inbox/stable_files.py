"""Which files of the watched folder are complete: those that have looked the same for a while."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from stat import S_ISREG
from typing import TYPE_CHECKING

from rondo.ingestion.validation.file_formats import EXTENSIONS, is_whole

if TYPE_CHECKING:
    from os import stat_result
    from pathlib import Path

    from rondo.ingestion.inbox.warnings import Waiting

_UNFINISHED = (".tmp", ".part", ".crdownload")


@dataclass(frozen=True)
class Look:
    """What tells a file from the one that was there before: its inode, its size in bytes, and when it was written."""

    inode: int
    size: int
    changed_ns: int

    @classmethod
    def of(cls, status: stat_result) -> Look:
        """Return how a file looks."""
        return cls(status.st_ino, status.st_size, status.st_mtime_ns)

    @classmethod
    def at(cls, path: Path) -> Look:
        """Return how the file at a path looks now."""
        return cls.of(path.lstat())


@dataclass(frozen=True)
class Seen:
    """How a file looks, and since when it has looked so (seconds of a monotonic clock)."""

    look: Look
    since: float


def is_due(seen: Seen, now: float, *, whole: bool, settle: float, patience: float) -> bool:
    """Decide whether a file is complete: unchanged for `settle` seconds, or `patience` where its end is missing."""
    return now - seen.since >= (settle if whole else patience)


class Arrivals:
    """The files `<folder>/<dataset>/<name>`; whatever can't be looked at is told to `waiting`."""

    def __init__(self, folder: Path, settle: float, patience: float, waiting: Waiting) -> None:
        self._folder = folder
        self._settle, self._patience = settle, patience
        self._waiting = waiting
        self._seen: dict[Path, Seen] = {}

    def due(self, now: float) -> list[Path]:
        """Look at every file, and return those that are complete."""
        try:
            found = {path: self._look(path, now) for path in self._files()}
        except OSError as error:
            self._waiting.tell(self._folder, error)
            return []
        self._seen = {path: seen for path, seen in found.items() if seen}
        self._waiting.forget_all_but(self._seen)
        return [path for path, seen in self._seen.items() if self._is_due(path, seen, now)]

    def again(self, path: Path) -> None:
        """Let a file that is still there settle anew before it is tried again."""
        if seen := self._seen.get(path):
            self._seen[path] = replace(seen, since=time.monotonic())

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
            self._waiting.tell(path, error)
            return Seen(Look(0, 0, 0), math.inf)  # due when it can be looked at
        if not S_ISREG(status.st_mode):
            return None
        before = self._seen.get(path)
        return before if before and before.look == Look.of(status) else Seen(Look.of(status), now)

    def _is_due(self, path: Path, seen: Seen, now: float) -> bool:
        form = EXTENSIONS.get(path.suffix)
        try:
            whole = form is None or is_whole(path, form)
        except FileNotFoundError:
            return False
        except OSError as error:
            self._waiting.tell(path, error)
            return False
        return is_due(seen, now, whole=whole, settle=self._settle, patience=self._patience)
