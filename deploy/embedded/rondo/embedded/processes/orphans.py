"""Processes that a killed stack left behind: each is recorded beside its log, and ended by the next start.

On Linux there are none (see `tether.py`), except what a service started itself.
"""

import contextlib
import os
import signal
from pathlib import Path

import psutil


def record(log: Path, pid: int) -> None:
    """Write down that `pid`, started just now, writes to `log`."""
    log.with_suffix(".pid").write_text(f"{pid} {psutil.Process(pid).create_time()}", "ascii")


def forget(log: Path) -> None:
    """Remove the record: the process has ended."""
    log.with_suffix(".pid").unlink(missing_ok=True)


def end_all(folder: Path) -> list[int]:
    """Kill every recorded process under `folder` that still runs, with its session, and return their ids."""
    ended = []
    for path in folder.rglob("*.pid"):
        process = _recorded(path)
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            psutil.wait_procs([process], timeout=2)
            ended.append(process.pid)
        path.unlink(missing_ok=True)
    return ended


def _recorded(path: Path) -> psutil.Process | None:
    # The id alone is not enough: by now it may belong to somebody else.
    with contextlib.suppress(ValueError, psutil.NoSuchProcess):
        pid, created = path.read_text("ascii").split()
        process = psutil.Process(int(pid))
        if process.create_time() == float(created):
            return process
    return None
