"""The HTTP server of a service. The health routes need no token, all others do."""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import uvicorn
from starlette.applications import Starlette

from rondo.chassis.errors import StartRefusedError
from rondo.chassis.http import probes
from rondo.chassis.http.authentication import Authentication
from rondo.chassis.http.bounded_protocol import BoundedProtocol
from rondo.chassis.http.direct_protocol import DirectProtocol
from rondo.chassis.http.problems import HANDLERS
from rondo.chassis.http.telemetry import Telemetry

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from starlette.types import ASGIApp, Receive, Scope, Send

    from rondo.chassis.health import Health
    from rondo.chassis.http.authentication import Authenticator
    from rondo.chassis.http.direct_protocol import Handler
    from rondo.chassis.settings import ServiceSettings

_STOP_SECONDS = 5


class PortTakenError(StartRefusedError):
    """Another process listens on a port of the service. `variable` is the setting of the port."""

    def __init__(self, host: str, port: int, variable: str = "RONDO_HTTP_PORT") -> None:
        super().__init__(
            f"port {port} on {host} is taken: stop what listens there, or give this service another, {variable}"
        )


def guarded(
    health: Health, authenticator: Authenticator, api: ASGIApp, *, continued_spans_only: bool = False
) -> ASGIApp:
    """Return the whole ASGI application of a service: the health routes, and `api` behind authentication."""
    open_to_all: ASGIApp = Starlette(routes=probes.routes(health), exception_handlers=HANDLERS)
    open_paths = {route.path for route in probes.routes(health)}
    guarded_api = Telemetry(Authentication(api, authenticator), continued_only=continued_spans_only)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await (open_to_all if scope["path"] in open_paths else guarded_api)(scope, receive, send)

    return app


@asynccontextmanager
async def listen(
    settings: ServiceSettings, app: ASGIApp, health: Health, direct: Handler | None = None
) -> AsyncIterator[int]:
    """Serve `app` until the body ends, then finish the requests in flight, for 5 seconds at most. Yields the port.

    `direct` may take requests before `app`. It authenticates the requests that it takes.

    Requests finish at the start of a shutdown, while their dependencies are still open.

    Raises:
        PortTakenError: another process listens on the port.

    """
    protocol: Any = BoundedProtocol if direct is None else partial(DirectProtocol, handler=direct)
    config = uvicorn.Config(
        app,
        http=protocol,
        log_config=None,
        ws="none",
        access_log=False,
        lifespan="off",
        proxy_headers=False,
        timeout_graceful_shutdown=_STOP_SECONDS,
    )
    server = _Server(config)
    try:
        listener = _bind(settings.http_host, settings.http_port)
    except OSError as error:
        raise PortTakenError(settings.http_host, settings.http_port) from error
    task = asyncio.create_task(server.serve(sockets=[listener]))

    async def close() -> None:
        server.should_exit = True
        await asyncio.wait([task])

    health.on_shutdown(close)
    try:
        yield listener.getsockname()[1]
    finally:
        await close()
        task.result()


class _Server(uvicorn.Server):
    """Uvicorn without its signal handlers: the service decides the time and the order of a stop."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Do not handle signals: `rondo.chassis.service` does."""
        yield


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is explicit: asyncio sets TCP_NODELAY only on connections of a socket that was made with IPPROTO_TCP.
    # Without it each response body waits about 40 ms for the client's delayed acknowledgement of the headers.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(512)
    except OSError:
        listener.close()
        raise
    listener.setblocking(False)  # noqa: FBT003 - the standard library's own signature
    return listener
