"""Health that tells the truth: `/livez` is about this process, `/readyz` about everything it stands on."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from rondo.chassis import metrics
from rondo.chassis.failures import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

    Check = Callable[[], Awaitable[None]]

_CHECK_SECONDS = 3.0


class Health:
    """What a service stands on. A check returns when its dependency answers, and raises UnavailableError when not."""

    def __init__(self) -> None:
        self._checks: dict[str, Check] = {"start": self._starting}

    async def _starting(self) -> None:
        raise UnavailableError("the service", "still starting: waiting for what it stands on")

    def add(self, name: str, check: Check) -> None:
        """Add a dependency; `/readyz` is green only while all of them answer."""
        self._checks[name] = check

    def started(self) -> None:
        """Say that everything has been opened and consumes."""
        self._checks.pop("start", None)

    async def report(self) -> dict[str, str]:
        """Ask every dependency, side by side; `ok`, or what is wrong."""
        names = list(self._checks)
        answers = await asyncio.gather(*(self._ask(name) for name in names))
        return dict(zip(names, answers, strict=True))

    async def _ask(self, name: str) -> str:
        try:
            async with asyncio.timeout(_CHECK_SECONDS):
                await self._checks[name]()
        except UnavailableError as error:
            metrics.DEPENDENCY_UP.labels(name).set(0)
            return str(error)
        except TimeoutError:
            metrics.DEPENDENCY_UP.labels(name).set(0)
            return f"no answer within {_CHECK_SECONDS:g} s"
        metrics.DEPENDENCY_UP.labels(name).set(1)
        return "ok"

    def routes(self) -> list[Route]:
        """Return `/livez`, `/readyz` and `/metrics`: the only routes that ask for no token."""
        return [Route("/livez", _livez), Route("/readyz", self._readyz), Route("/metrics", _metrics)]

    async def _readyz(self, _: Request) -> Response:
        report = await self.report()
        ready = all(answer == "ok" for answer in report.values())
        return JSONResponse({"ready": ready, "checks": report}, status_code=200 if ready else 503)


async def _livez(_: Request) -> Response:
    return PlainTextResponse("ok\n")


async def _metrics(_: Request) -> Response:
    return Response(generate_latest(), headers={"content-type": CONTENT_TYPE_LATEST})
