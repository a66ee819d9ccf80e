"""Finds the complete files of the watched folder, which have not changed for a while. Logs why others wait."""

from __future__ import annotations

import logging
import math
import time
from dataclasses import dataclass, replace
from stat import S_ISREG
from typing import TYPE_CHECKING

from rondo.chassis.errors import UnavailableError
from rondo.contracts.batch_files.formats import EXTENSIONS, GZIP_SUFFIX, split_name
from rondo.ingestion.validation.file_formats import has_footer

if TYPE_CHECKING:
    from collections.abc import Container
    from os import stat_result
    from pathlib import Path

log = logging.getLogger(__name__)
_UNREADABLE = "it can't be read or moved ({}: {}): make the file readable and its folder writable; it is retried"
_UNFINISHED = (".tmp", ".part", ".crdownload")


@dataclass(frozen=True)
class FileStat:
    """The attributes that distinguish a file from an earlier one of its name: inode, size in bytes, time of change."""

    inode: int
    size: int
    modified_ns: int

    @classmethod
    def of(cls, status: stat_result) -> FileStat:
        return cls(status.st_ino, status.st_size, status.st_mtime_ns)

    @classmethod
    def at(cls, path: Path) -> FileStat:
        """Return the stat of the file at a path. A symbolic link is not followed."""
        return cls.of(path.lstat())


@dataclass(frozen=True)
class Observation:
    """The stat of a file, and the time of its last change in seconds of a monotonic clock."""

    stat: FileStat
    since: float


def is_complete(seen: Observation, now: float, *, has_footer: bool, settle: float, incomplete: float) -> bool:
    """Return whether a file was unchanged for `settle` seconds, or `incomplete` seconds if its footer is missing."""
    return now - seen.since >= (settle if has_footer else incomplete)


class FileWarnings:
    """The last warning of each file. A file is logged again only when its reason changes."""

    def __init__(self) -> None:
        self._last: dict[Path, str] = {}

    def warn(self, path: Path, error: Exception) -> None:
        """Log why a file stays in the inbox, unless its last warning is the same."""
        reason = str(error) if isinstance(error, UnavailableError) else _UNREADABLE.format(type(error).__name__, error)
        if self._last.get(path) != reason:
            self._last[path] = reason
            log.warning("%s stays in the inbox: %s", path, reason)

    def retain(self, paths: Container[Path]) -> None:
        """Drop the warnings of files that are no longer there."""
        self._last = {path: reason for path, reason in self._last.items() if path in paths}


class StableFiles:
    """The files `<folder>/<dataset>/<name>`. `warnings` logs a file that can't be examined."""

    def __init__(self, folder: Path, settle: float, incomplete: float, warnings: FileWarnings) -> None:
        self._folder = folder
        self._settle, self._incomplete = settle, incomplete
        self._warnings = warnings
        self._seen: dict[Path, Observation] = {}

    def complete(self, now: float) -> list[Path]:
        """Examine every file and return those that are complete."""
        try:
            found = {path: self._observe(path, now) for path in self._files()}
        except OSError as error:
            self._warnings.warn(self._folder, error)
            return []
        self._seen = {path: seen for path, seen in found.items() if seen}
        self._warnings.retain(self._seen)
        return [path for path, seen in self._seen.items() if self._is_complete(path, seen, now)]

    def restart(self, path: Path) -> None:
        """Restart the settle time of a file that is still there, so that it is retried later."""
        if seen := self._seen.get(path):
            self._seen[path] = replace(seen, since=time.monotonic())

    def _files(self) -> list[Path]:
        return [
            path
            for path in sorted(self._folder.glob("*/*"))
            if not path.name.startswith(".") and path.suffix not in _UNFINISHED
        ]

    def _observe(self, path: Path, now: float) -> Observation | None:
        try:
            status = path.lstat()
        except FileNotFoundError:
            return None  # removed since the listing
        except OSError as error:
            self._warnings.warn(path, error)
            return Observation(FileStat(0, 0, 0), math.inf)  # never complete until it can be examined
        if not S_ISREG(status.st_mode):
            return None
        before = self._seen.get(path)
        return before if before and before.stat == FileStat.of(status) else Observation(FileStat.of(status), now)

    def _is_complete(self, path: Path, seen: Observation, now: float) -> bool:
        is_compressed = path.name.lower().endswith(GZIP_SUFFIX)  # its last bytes are no footer
        file_format = None if is_compressed else EXTENSIONS.get(split_name(path.name)[1])
        try:
            footer = file_format is None or has_footer(path, file_format)
        except FileNotFoundError:
            return False
        except OSError as error:
            self._warnings.warn(path, error)
            return False
        return is_complete(seen, now, has_footer=footer, settle=self._settle, incomplete=self._incomplete)
