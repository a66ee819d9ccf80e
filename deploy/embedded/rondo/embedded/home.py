"""The folder of a stack: its location, its free space, and a lock that only one stack can hold."""

import contextlib
import fcntl
import json
import os
import shutil
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from rondo.contracts.locations import unusable_characters
from rondo.embedded.errors import (
    DiskFullError,
    ForeignHomeError,
    HomeBusyError,
    HomeNotWritableError,
    KeptDataError,
    UnusableHomeError,
)

NEEDED_BYTES = 1 << 30
_LOCK = "rondo.lock"
_KEPT = "kept"


@dataclass(frozen=True)
class Holder:
    """The process that runs a stack in a folder. `since` is UTC, to the second."""

    pid: int
    since: str


def default_home() -> Path:
    """Return RONDO_HOME, or `.rondo` in the current folder."""
    return Path(os.environ.get("RONDO_HOME") or ".rondo").absolute()


def check_space(home: Path, needed: int = NEEDED_BYTES) -> None:
    """Raise DiskFullError if less than `needed` bytes are free."""
    free = shutil.disk_usage(home).free
    if free < needed:
        raise DiskFullError(home, free, needed)


def mark_kept(home: Path) -> None:
    """Record that the data in `home` is to be kept after the end of its stack."""
    (home / _KEPT).touch()


def check_not_kept(home: Path) -> None:
    """Raise KeptDataError if a stack that keeps its data has run in `home`."""
    if (home / _KEPT).exists():
        raise KeptDataError(home)


@contextlib.contextmanager
def locked(home: Path) -> Iterator[None]:
    """Create the folder and lock it. The system releases the lock when the process ends.

    Raises:
        HomeBusyError: another stack runs in the folder.
        HomeNotWritableError: the folder can't be created or written.
        ForeignHomeError: the folder has files of another program.
        UnusableHomeError: the path contains a character that Delta tables do not support in their path.

    """
    if found := unusable_characters(home):
        raise UnusableHomeError(home, found)
    # A start may delete folders here. It must not delete those of another program if RONDO_HOME is wrong.
    if home.is_dir() and any(home.iterdir()) and not (home / _LOCK).exists():
        raise ForeignHomeError(home)
    with _open(home) as file:
        if not _lock(file):
            holder = _read(file)
            raise HomeBusyError(home, holder.pid, holder.since)
        file.truncate(0)
        file.seek(0)
        json.dump({"pid": os.getpid(), "since": f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC"}, file)
        file.flush()
        yield


def holder_of(home: Path) -> Holder | None:
    """Return the process that runs a stack in `home`. None if no stack runs."""
    if not (home / _LOCK).exists():
        return None
    with _open(home) as file:
        return None if _lock(file) else _read(file)


def stop_holder(home: Path, timeout_seconds: float = 60) -> Holder | None:
    """Stop the stack that runs in `home` gracefully, and return its process. None if no stack runs.

    Raises:
        TimeoutError: the stack has not stopped within `timeout_seconds`.

    """
    holder = holder_of(home)
    if holder is None:
        return None
    os.kill(holder.pid, signal.SIGTERM)
    deadline = time.monotonic() + timeout_seconds
    while holder_of(home) is not None:
        if time.monotonic() > deadline:
            message = f"pid {holder.pid} has not stopped within {timeout_seconds:.0f} s"
            raise TimeoutError(message)
        time.sleep(0.1)
    return holder


def _open(home: Path) -> TextIO:
    try:
        home.mkdir(parents=True, exist_ok=True)
        return (home / _LOCK).open("a+", encoding="utf-8")
    except OSError as error:
        raise HomeNotWritableError(home, error.strerror or str(error)) from error


def _lock(file: TextIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read(file: TextIO) -> Holder:
    file.seek(0)
    # The file is empty between the lock and the write.
    content = json.loads(file.read() or '{"pid": 0, "since": "just now"}')
    return Holder(content["pid"], content["since"])
