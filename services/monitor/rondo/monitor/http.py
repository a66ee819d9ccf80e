"""The monitor's HTTP API: the status of a model, and webhook deliveries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rondo.chassis.errors import UnavailableError
from rondo.monitor.errors import UnknownModelError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request


def api() -> Starlette:
    """Return the application; until `open_api` it answers 503."""
    app = Starlette(
        routes=[Route("/v1/models/{model}/drift", _drift), Route("/v1/deliveries", _deliveries)],
        exception_handlers={UnknownModelError: _unknown, UnavailableError: _unavailable},
    )
    app.state.opened = None
    return app


@dataclass(frozen=True)
class Opened:
    """`status` returns that of a model (see `status_view`), `deliveries` the newest webhook calls."""

    status: Callable[[str], dict[str, Any]]
    deliveries: Callable[[], Awaitable[list[dict[str, Any]]]]


def open_api(app: Starlette, opened: Opened) -> None:
    """Start to answer requests."""
    app.state.opened = opened


async def _drift(request: Request) -> Response:
    return JSONResponse(_opened(request).status(request.path_params["model"]))


async def _deliveries(request: Request) -> Response:
    return JSONResponse({"deliveries": await _opened(request).deliveries()})


def _opened(request: Request) -> Opened:
    opened: Opened | None = request.app.state.opened
    if opened is None:
        raise UnavailableError("the monitor", "still starting; GET /readyz names what it waits for")
    return opened


async def _unknown(_: Request, error: Exception) -> Response:
    return JSONResponse({"error": "unknown_model", "message": str(error)}, status_code=404)


async def _unavailable(_: Request, error: Exception) -> Response:
    return JSONResponse({"error": "unavailable", "message": str(error)}, status_code=503)
