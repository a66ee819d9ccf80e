"""A service in a child process that is restarted after each death, and a wait for its readiness."""

import asyncio
import contextlib
import time
import urllib.error
import urllib.request
from pathlib import Path

from rondo.embedded.errors import NotReadyError
from rondo.embedded.processes.process import Process

_POLL_SECONDS = 0.1
_FIRST_DELAY_SECONDS, _LONGEST_DELAY_SECONDS = 0.2, 5.0
# A death after this time of running does not count as consecutive.
_HEALTHY_SECONDS = 10.0
# After this many deaths `wait_ready` fails without waiting for its timeout.
_MAX_DEATHS = 3

# Requests to loopback bypass the proxy of the environment.
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def restart_delay(deaths_in_a_row: int) -> float:
    """Return the seconds until a restart. They double with each consecutive death, to at most five seconds."""
    return min(_FIRST_DELAY_SECONDS * 2.0 ** (deaths_in_a_row - 1), _LONGEST_DELAY_SECONDS)


class ServiceProcess:
    """The process of one service. `url` is the address of its HTTP API."""

    def __init__(self, name: str, command: list[str], env: dict[str, str], url: str, log: Path) -> None:
        self.name, self.url = name, url
        self.restarts = 0
        self.last_exit_code: int | None = None
        self.process = Process(command=command, log=log, env=env)
        self._watch: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start the process, and restart it after each death until `stop`."""
        self.process.start()
        self._watch = asyncio.create_task(self._keep_running(), name=f"watch {self.name}")

    async def _keep_running(self) -> None:
        deaths = 0
        while True:
            started = time.monotonic()
            while self.process.is_running:  # noqa: ASYNC110 - asyncio has no event for it
                await asyncio.sleep(_POLL_SECONDS)
            self.last_exit_code = self.process.exit_code
            deaths = 1 if time.monotonic() - started > _HEALTHY_SECONDS else deaths + 1
            await asyncio.sleep(restart_delay(deaths))
            self.restarts += 1
            self.process.start()

    def kill(self) -> None:
        """Kill the process as in a crash. It is restarted."""
        self.process.kill()

    async def stop(self) -> None:
        """Stop the process gracefully, without a restart. Kill it if it takes too long."""
        if self._watch is not None:
            self._watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watch
        await asyncio.to_thread(self.process.stop)

    async def wait_ready(self, timeout_seconds: float = 120) -> None:
        """Wait until `/readyz` answers 200.

        Raises:
            NotReadyError: the service dies repeatedly, or is not ready in time. The error has the last line of its log.

        """
        deadline, before = time.monotonic() + timeout_seconds, self.restarts
        while (state := await asyncio.to_thread(_readiness, self.url)) is not None:
            if self.restarts - before >= _MAX_DEATHS:
                why = f"it died {_MAX_DEATHS} times, last with exit code {self.last_exit_code}"
                raise self._not_ready(why)
            if time.monotonic() > deadline:
                why = f"after {timeout_seconds:.0f} s {self.url}/readyz answers {state}"
                raise self._not_ready(why)
            await asyncio.sleep(_POLL_SECONDS)

    def _not_ready(self, why: str) -> NotReadyError:
        return NotReadyError(self.name, why, self.process.log, self.process.last_line())


def _readiness(url: str) -> str | None:
    try:
        with _DIRECT.open(f"{url}/readyz", timeout=2):
            return None
    except urllib.error.HTTPError as refusal:
        return f"{refusal.code}: {refusal.read(500).decode('utf-8', 'replace').strip()}"
    except OSError as error:
        return f"nothing ({getattr(error, 'reason', error)})"
