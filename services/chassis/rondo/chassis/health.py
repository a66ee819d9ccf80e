"""The health of a service: checks of its dependencies, and the actions at a shutdown."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from rondo.chassis import metrics
from rondo.chassis.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    Check = Callable[[], Awaitable[None]]

log = logging.getLogger(__name__)
_CHECK_SECONDS = 3.0
_WATCH_SECONDS = 2.0


class Health:
    """Checks of dependencies. A check returns while its dependency answers, and raises UnavailableError otherwise."""

    def __init__(self) -> None:
        self._checks: dict[str, Check] = {"start": _starting}
        self._down_since: dict[str, float] = {}
        self._on_shutdown: list[Callable[[], Awaitable[None]]] = []

    def add(self, name: str, check: Check) -> None:
        """Add a dependency. The service is ready only while every check passes."""
        self._checks[name] = check

    def expect(self, name: str, what: str, remedy: str) -> None:
        """Show a dependency before its check exists. A later `add` of the same name replaces it."""

        async def not_yet() -> None:
            raise UnavailableError(what, f"it has not answered yet: {remedy}")

        self.add(name, not_yet)

    def started(self) -> None:
        """Mark the start as complete."""
        self._checks.pop("start", None)
        metrics.DEPENDENCY_UP.remove("start")  # its last value would stay 0

    def on_shutdown(self, action: Callable[[], Awaitable[None]]) -> None:
        """Register an action that a shutdown runs first: accept no more work, and finish started work in seconds."""
        self._on_shutdown.append(action)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Be ready while the body runs. Enter this context last, inside all other contexts of the service.

        At the end of the body the service is no longer ready, and runs the shutdown actions while everything that they
        depend on is still open. If the body fails, it does not run them.
        """
        self.started()
        yield
        self.add("stop", _stopping)
        for action in self._on_shutdown:
            await action()

    async def watch(self) -> None:
        """Run all checks every 2 s until cancelled, and log each change between up and down once."""
        while True:
            self._log_transitions(await self.report(), time.monotonic())
            await asyncio.sleep(_WATCH_SECONDS)

    def _log_transitions(self, report: dict[str, str], now: float) -> None:
        if "start" in report or "stop" in report:
            return  # during the start, the parts that wait for a dependency log it
        for name, result in report.items():
            if result == "ok" and name in self._down_since:
                log.info("%s is available again after %.0f s", name, now - self._down_since.pop(name))
            elif result != "ok" and name not in self._down_since:
                self._down_since[name] = now
                log.warning("%s: %s", name, result)

    async def report(self) -> dict[str, str]:
        """Run all checks concurrently. Each result is `ok` or the reason."""
        checks = dict(self._checks)
        results = await asyncio.gather(*map(_run, checks.values()))
        report = dict(zip(checks, results, strict=True))
        for name in report.keys() & self._checks.keys():
            metrics.DEPENDENCY_UP.labels(name).set(report[name] == "ok")
        return report


async def _run(check: Check) -> str:
    try:
        async with asyncio.timeout(_CHECK_SECONDS):
            await check()
    except UnavailableError as error:
        return str(error)
    except TimeoutError:
        return f"no answer within {_CHECK_SECONDS:g} s"
    return "ok"


async def _starting() -> None:
    raise UnavailableError("the service", "still starting: waiting for its dependencies")


async def _stopping() -> None:
    raise UnavailableError("the service", "it is stopping and finishes what has begun: ask another replica")
