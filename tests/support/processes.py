"""A service as a real process: `python -m rondo.<service>`."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import httpx

if TYPE_CHECKING:
    from collections.abc import Mapping

_POLL_SECONDS = 0.02
_STOP_SECONDS = 20.0


class ServiceProcess:
    """Appends its output to `log`. It can be killed and started again, and is killed at the end of `with`.

    `environment` is added to that of the test. A value of None removes a variable.
    """

    def __init__(self, service: str, environment: Mapping[str, str | None], log: Path) -> None:
        self.service, self.log = service, log
        merged = os.environ | {"RONDO_SERVICE": service} | environment
        self.environment = {name: value for name, value in merged.items() if value is not None}
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.environment['RONDO_HTTP_PORT']}"

    @property
    def pid(self) -> int:
        return self._started.pid

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """The exit code, negative for a signal. None while it runs."""
        return self._started.poll()

    def start(self) -> None:
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(  # noqa: S603
                [sys.executable, "-m", f"rondo.{self.service}"], env=self.environment, stdout=output, stderr=output
            )

    def signal(self, number: signal.Signals) -> None:
        self._started.send_signal(number)

    def kill(self) -> None:
        """Kill the process if it runs, as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def stop(self) -> int:
        """Stop it gracefully, and return its exit code. Kill it if that takes too long."""
        self.signal(signal.SIGTERM)
        return self.wait(_STOP_SECONDS)

    def wait(self, seconds: float) -> int:
        """Return the exit code. A process that has not ended within `seconds` is killed."""
        try:
            return self._started.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            return self._started.wait()

    def children(self) -> list[int]:
        """Return the process ids of its children."""
        return [int(child) for child in Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()]

    def wait_ready(self, seconds: float = 90) -> None:
        """Wait until `/readyz` answers 200. Fails if the process ends, or when the time is over."""
        deadline, answer = time.monotonic() + seconds, "no answer"
        with httpx.Client(trust_env=False) as client:
            while True:
                try:
                    readiness = client.get(f"{self.url}/readyz")
                except httpx.TransportError as error:
                    assert self.exit_code is None, self.log.read_text()
                    answer = str(error)
                else:
                    if readiness.status_code == httpx.codes.OK:
                        return
                    answer = readiness.text
                assert time.monotonic() < deadline, answer
                time.sleep(_POLL_SECONDS)

    async def ready(self, seconds: float = 90) -> None:
        """Wait like `wait_ready`, without blocking the event loop."""
        await asyncio.to_thread(self.wait_ready, seconds)

    def lines(self) -> list[dict[str, Any]]:
        """Return the JSON lines of its log."""
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]

    @property
    def _started(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, f"{self.service} was not started"
        return self._process
