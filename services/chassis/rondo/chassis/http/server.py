"""The HTTP server of a service: health for everybody, everything else only with the bearer token.

Deny by default: the token is checked before routing, so a route that somebody forgets to guard is guarded.
"""

from __future__ import annotations

import asyncio
import hmac
import socket
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

import uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Mount

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from starlette.types import ASGIApp, Receive, Scope, Send

    from rondo.chassis.http.health import Health
    from rondo.chassis.settings import ServiceSettings

OPEN_PATHS = frozenset({"/livez", "/readyz", "/metrics"})
_STOP_SECONDS = 5


class PortTakenError(OSError):
    """The service's HTTP port belongs to somebody else."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__(
            f"port {port} on {host} is taken: stop what listens there, or give this service another, RONDO_HTTP_PORT"
        )


class BearerToken:
    """ASGI middleware that answers 401 to whoever does not carry the token."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._expected = f"Bearer {token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let open paths and bearers of the token through."""
        if scope["type"] != "http" or scope["path"] in OPEN_PATHS or self._carries_token(scope):
            await self._app(scope, receive, send)
            return
        refusal = JSONResponse(
            {
                "error": "unauthorized",
                "message": "send the header `Authorization: Bearer <token>`; RONDO_API_TOKEN holds it",
            },
            status_code=401,
            headers={"www-authenticate": "Bearer"},
        )
        await refusal(scope, receive, send)

    def _carries_token(self, scope: Scope) -> bool:
        sent = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
        return hmac.compare_digest(sent, self._expected)


def guarded(health: Health, token: str, api: ASGIApp | None = None) -> ASGIApp:
    """Return the whole ASGI application of a service: health, and `api` behind the token."""
    return BearerToken(Starlette(routes=[*health.routes(), *([Mount("/", api)] if api else [])]), token)


@asynccontextmanager
async def listen(settings: ServiceSettings, app: ASGIApp, health: Health) -> AsyncIterator[int]:
    """Serve `app` until the body ends, then finish the requests in flight, for 5 seconds at most. Yields the port.

    That is done as soon as the service is told to stop, while all that the answers stand on is still open.

    Raises:
        PortTakenError: somebody else listens there.

    """
    config = uvicorn.Config(
        app, log_config=None, ws="none", access_log=False, lifespan="off", timeout_graceful_shutdown=_STOP_SECONDS
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

    health.at_stop(close)
    try:
        yield listener.getsockname()[1]
    finally:
        await close()
        task.result()


class _Server(uvicorn.Server):
    """Uvicorn without its own signal handlers: the service decides when to stop, and in which order."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to `rondo.chassis.service`."""
        yield


def _bind(host: str, port: int) -> socket.socket:
    """Bind a listening socket."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Name the protocol: asyncio sets TCP_NODELAY only on connections of a socket that was made as IPPROTO_TCP. Without
    # it each response body waits about 40 ms for the client's delayed acknowledgement of the headers.
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
