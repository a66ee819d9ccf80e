"""`/livez`, `/readyz` and `/metrics`: the only routes that need no token."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

if TYPE_CHECKING:
    from starlette.requests import Request

    from rondo.chassis.health import Health


def routes(health: Health) -> list[Route]:
    """Return the routes. `/livez` checks only this process, `/readyz` also its dependencies."""

    async def readyz(_: Request) -> Response:
        report = await health.report()
        ready = all(result == "ok" for result in report.values())
        return JSONResponse({"ready": ready, "checks": report}, status_code=200 if ready else 503)

    return [Route("/livez", _livez), Route("/readyz", readyz), Route("/metrics", _metrics)]


async def _livez(_: Request) -> Response:
    return PlainTextResponse("ok\n")


async def _metrics(_: Request) -> Response:
    return Response(generate_latest(), headers={"content-type": CONTENT_TYPE_LATEST})
