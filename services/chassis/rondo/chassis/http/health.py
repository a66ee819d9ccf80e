"""Health that tells the truth: `/livez` is about this process, `/readyz` about everything it stands on."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from rondo.chassis import metrics
from rondo.chassis.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from starlette.requests import Request

    Check = Callable[[], Awaitable[None]]

log = logging.getLogger(__name__)
_CHECK_SECONDS = 3.0
_WATCH_SECONDS = 2.0


class Health:
    """What a service stands on. A check returns when its dependency answers, and raises UnavailableError when not."""

    def __init__(self) -> None:
        self._checks: dict[str, Check] = {"start": self._starting}
        self._away: dict[str, float] = {}
        self._at_stop: list[Callable[[], Awaitable[None]]] = []

    async def _starting(self) -> None:
        raise UnavailableError("the service", "still starting: waiting for what it stands on")

    def add(self, name: str, check: Check) -> None:
        """Add a dependency; `/readyz` is green only while all of them answer."""
        self._checks[name] = check

    def expect(self, name: str, what: str, way_out: str) -> None:
        """Name a dependency that has not answered yet; `add` it under the same name once it has."""

        async def not_yet() -> None:
            raise UnavailableError(what, f"it has not answered yet: {way_out}")

        self.add(name, not_yet)

    def started(self) -> None:
        """Say that everything has been opened and consumes."""
        self._checks.pop("start", None)
        metrics.DEPENDENCY_UP.remove("start")  # it has an end, and would be told for ever as what does not answer

    def at_stop(self, action: Callable[[], Awaitable[None]]) -> None:
        """Let a stop begin with this: it takes nothing more and finishes what it has, for some seconds at most."""
        self._at_stop.append(action)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Be ready while the body runs, innermost of all that a service opens.

        At its end the service is no longer ready, and what `at_stop` names is finished; whatever that stands on is
        closed only then. A body that fails ends at once.
        """
        self.started()
        yield
        self.add("stop", _stopping)
        for action in self._at_stop:
            await action()

    async def watch(self) -> None:
        """Ask every two seconds, until cancelled: the log says once who went away and once who came back."""
        while True:
            self._tell(await self.report(), time.monotonic())
            await asyncio.sleep(_WATCH_SECONDS)

    def _tell(self, report: dict[str, str], now: float) -> None:
        if "start" in report or "stop" in report:
            return  # whoever waits for something then says so himself
        for name, answer in report.items():
            if answer == "ok" and name in self._away:
                log.info("%s answers again after %.0f s", name, now - self._away.pop(name))
            elif answer != "ok" and name not in self._away:
                self._away[name] = now
                log.warning("%s: %s", name, answer)

    async def report(self) -> dict[str, str]:
        """Ask every dependency, side by side; `ok`, or what is wrong."""
        checks = dict(self._checks)
        answers = await asyncio.gather(*map(_ask, checks.values()))
        report = dict(zip(checks, answers, strict=True))
        for name in report.keys() & self._checks.keys():
            metrics.DEPENDENCY_UP.labels(name).set(report[name] == "ok")
        return report

    def routes(self) -> list[Route]:
        """Return `/livez`, `/readyz` and `/metrics`: the only routes that ask for no token."""
        return [Route("/livez", _livez), Route("/readyz", self._readyz), Route("/metrics", _metrics)]

    async def _readyz(self, _: Request) -> Response:
        report = await self.report()
        ready = all(answer == "ok" for answer in report.values())
        return JSONResponse({"ready": ready, "checks": report}, status_code=200 if ready else 503)


async def _ask(check: Check) -> str:
    try:
        async with asyncio.timeout(_CHECK_SECONDS):
            await check()
    except UnavailableError as error:
        return str(error)
    except TimeoutError:
        return f"no answer within {_CHECK_SECONDS:g} s"
    return "ok"


async def _stopping() -> None:
    raise UnavailableError("the service", "it stops, and finishes what it has begun: ask another replica")


async def _livez(_: Request) -> Response:
    return PlainTextResponse("ok\n")


async def _metrics(_: Request) -> Response:
    return Response(generate_latest(), headers={"content-type": CONTENT_TYPE_LATEST})
