"""The process whose forks run graphs. A fork needs a third of the processor time that a new process needs to load.

A fork keeps nothing of the previous run. The process is started at the first run, without environment variables. It
ends with the worker, or once no graph has been run for a while.
"""

from __future__ import annotations

import atexit
import os
import signal
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from typing import IO, TYPE_CHECKING

from rondo.trainer.onnx_graph import isolated_runtime

if TYPE_CHECKING:
    from collections.abc import Sequence

_CODE_BYTES = 16
# Threads do not survive a fork, so this process must not start any.
_ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1"}


class ForkServer:
    """Starts the process if there is none, and returns the exit code of each run."""

    def __init__(self, idle_seconds: float = 60.0) -> None:
        self._idle_seconds = idle_seconds
        self._lock = threading.Lock()
        self._started: tuple[subprocess.Popen[bytes], socket.socket] | None = None
        atexit.register(self.end)

    def run(self, files: Sequence[IO[bytes]], seconds: float) -> int:
        """Return the exit code of a run with these files as its standard input, output and error.

        A negative code is a signal, as in `subprocess`.

        Raises:
            TimeoutError: the run has not ended within `seconds`. It has been killed.

        """
        with self._lock:
            try:
                code, ran = self._answer(files, seconds)
                # Only one retry: a graph whose exit looks like that of an idle process must not run forever.
                if not ran:
                    code, _ = self._answer(files, seconds)
            except BaseException:
                self.end()
                raise
        return code

    def _answer(self, files: Sequence[IO[bytes]], seconds: float) -> tuple[int, bool]:
        """Return the exit code, and whether the files were run. They were not if the process had ended before."""
        process, connection = self._started = self._started or self._start()
        connection.settimeout(seconds)
        sent, code = False, b""
        with suppress(ConnectionError):
            socket.send_fds(connection, [b"\0"], [file.fileno() for file in files])
            sent = True
            code = connection.recv(_CODE_BYTES)
        if code:
            return int(code), True
        # The process has ended: it runs without forks, the kernel killed it, or it was idle when the files were sent.
        self._started = None
        connection.close()
        ended = process.wait()
        return ended, sent and ended != isolated_runtime.IDLE

    def _start(self) -> tuple[subprocess.Popen[bytes], socket.socket]:
        ours, theirs = socket.socketpair()
        # `-I` and no environment variables: the process has no secret, and nothing changes its imports.
        command = [sys.executable, "-I", "-m", isolated_runtime.__name__, str(self._idle_seconds)]
        with theirs:
            process = subprocess.Popen(  # noqa: S603 - a fixed command
                command, stdin=theirs.fileno(), stdout=2, env=_ENVIRONMENT, start_new_session=True
            )
        return process, ours

    def end(self) -> None:
        """Kill the process, and a run in it."""
        if self._started is not None:
            process, connection = self._started
            self._started = None
            connection.close()
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


FORKS = ForkServer()
