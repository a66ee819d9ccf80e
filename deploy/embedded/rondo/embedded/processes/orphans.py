"""Processes that still run after their stack was killed. Each is recorded next to its log, and the next start kills it.

On Linux only processes that a service started can remain (see `parent_death.py`).
"""

import contextlib
import os
import signal
from pathlib import Path

import psutil


def record(log: Path, pid: int) -> None:
    """Record that the new process `pid` writes to `log`."""
    log.with_suffix(".pid").write_text(f"{pid} {psutil.Process(pid).create_time()}", "ascii")


def delete_record(log: Path) -> None:
    """Remove the record of a process that has ended."""
    log.with_suffix(".pid").unlink(missing_ok=True)


def kill_all(folder: Path) -> list[int]:
    """Kill every recorded process under `folder` that still runs, with its session. Return their ids."""
    killed = []
    for path in folder.rglob("*.pid"):
        process = _recorded(path)
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            psutil.wait_procs([process], timeout=2)
            killed.append(process.pid)
        path.unlink(missing_ok=True)
    return killed


def _recorded(path: Path) -> psutil.Process | None:
    # The id alone does not suffice, because the system may have reused it.
    with contextlib.suppress(ValueError, psutil.NoSuchProcess):
        pid, created = path.read_text("ascii").split()
        process = psutil.Process(int(pid))
        if process.create_time() == float(created):
            return process
    return None
