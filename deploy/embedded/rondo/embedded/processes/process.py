"""One child process: its log, its signals and its end."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from rondo.embedded.processes.account import Account
from rondo.embedded.processes.orphans import delete_record, record
from rondo.embedded.processes.parent_death import signal_on_parent_death


@dataclass
class Process:
    """A command that runs as a child in its own session, so that Ctrl-C reaches only the parent.

    `parent_death_signal` is the signal that ends the process when its parent is killed. `folder` is the working
    directory.
    """

    command: Sequence[str]
    log: Path
    env: Mapping[str, str] | None = None
    account: Account | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    parent_death_signal: signal.Signals = signal.SIGKILL
    folder: Path = Path("/")
    _popen: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def start(self) -> None:
        """Start the command, from the main thread (see `parent_death.py`). Its output is appended to the log."""
        with self.log.open("ab") as output:
            self._popen = subprocess.Popen(  # noqa: S603 - our own commands
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=self.env,
                cwd=self.folder,
                start_new_session=True,
                preexec_fn=signal_on_parent_death(self.parent_death_signal),  # noqa: PLW1509 - one system call, prepared before the fork
                user=self.account.uid if self.account else None,
                group=self.account.gid if self.account else None,
                extra_groups=[] if self.account else None,
            )
        record(self.log, self._popen.pid)

    @property
    def pid(self) -> int | None:
        return self._popen.pid if self._popen else None

    @property
    def exit_code(self) -> int | None:
        """The exit code, negative for a signal. None while it runs."""
        return self._popen.poll() if self._popen else None

    @property
    def is_running(self) -> bool:
        return self._popen is not None and self._popen.poll() is None

    @property
    def is_paused(self) -> bool:
        """True if the process is stopped, by `pause` or by another SIGSTOP."""
        try:
            return self.is_running and bool(psutil.Process(self.pid).status() == psutil.STATUS_STOPPED)
        except psutil.NoSuchProcess:
            return False

    def stop(self, grace_seconds: float = 10) -> None:
        """Send `stop_signal`, wait, then kill the remaining processes of the session."""
        if self._popen is None:
            return
        self.resume()
        with contextlib.suppress(ProcessLookupError):
            self._popen.send_signal(self.stop_signal)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._popen.wait(grace_seconds)
        self.kill_session()
        delete_record(self.log)

    def kill(self) -> None:
        """Kill only the process itself, as in a crash. Its children survive."""
        if self._popen is not None:
            self._popen.kill()
            self._popen.wait()

    def kill_session(self) -> None:
        """Kill the process and its descendants, and wait until they have ended."""
        if self._popen is None:
            return
        family = self._family()
        with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS: EPERM for a group of zombies
            os.killpg(self._popen.pid, signal.SIGKILL)
        for each in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                each.kill()
        self._popen.wait()
        await_end(family)

    def pause(self) -> None:
        """Stop the process and its descendants (SIGSTOP). Connections stay open, and nothing answers."""
        for each in self._family():
            with contextlib.suppress(psutil.NoSuchProcess):
                each.suspend()
                # The signal is asynchronous, so the process can still answer until it is delivered. A process that
                # ended in the meantime stays a zombie, because its parent is stopped.
                while each.status() not in (psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE):
                    time.sleep(0.005)

    def resume(self) -> None:
        """Continue after `pause` (SIGCONT)."""
        for each in self._family():
            with contextlib.suppress(psutil.NoSuchProcess):
                each.resume()

    def last_line(self) -> str:
        """Return the last line of the log that is not blank, or an empty string."""
        text = self.log.read_text("utf-8", "replace") if self.log.exists() else ""
        return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")

    def _family(self) -> list[psutil.Process]:
        if not self.is_running:
            return []
        with contextlib.suppress(psutil.NoSuchProcess):
            parent = psutil.Process(self.pid)
            return [parent, *parent.children(recursive=True)]
        return []


def await_end(processes: Sequence[psutil.Process], timeout_seconds: float = 10) -> None:
    """Wait until none of the processes runs. A zombie counts as ended."""
    deadline = time.monotonic() + timeout_seconds
    while any(_runs(each) for each in processes) and time.monotonic() < deadline:
        time.sleep(0.01)


def _runs(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
