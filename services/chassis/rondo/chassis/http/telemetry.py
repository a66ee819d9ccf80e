"""Records a span and a duration for every request of an API, except health probes and metrics."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from opentelemetry.trace import SpanKind, StatusCode

from rondo.chassis import metrics
from rondo.chassis.telemetry import span

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_SERVER_ERROR = 500


class Telemetry:
    """ASGI middleware by the OpenTelemetry conventions for HTTP servers.

    The route's template, such as `/v1/models/{model}`, is the name of span and metric. A path without a route has no
    template, so that a scanner creates no new time series. The caller's `traceparent` becomes the span's parent. With
    `continued_only`, a request without `traceparent` has no span: if requests are answered together, their batch has
    one.
    """

    def __init__(self, app: ASGIApp, *, continued_only: bool = False) -> None:
        self._app = app
        self._continued_only = continued_only

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started, status = time.perf_counter(), _SERVER_ERROR

        async def note_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        method, parent = scope["method"], _traceparent(scope)
        try:
            if parent is None and self._continued_only:
                await self._app(scope, receive, note_status)
                return
            with span(method, parent, SpanKind.SERVER, **{"http.request.method": method}) as current:
                try:
                    await self._app(scope, receive, note_status)
                finally:
                    route = _route(scope)
                    current.update_name(f"{method} {route}" if route else method)
                    current.set_attributes({"http.route": route, "http.response.status_code": status})
                    if status >= _SERVER_ERROR:
                        current.set_status(StatusCode.ERROR)
        finally:
            seconds = time.perf_counter() - started
            metrics.HTTP_REQUEST_SECONDS.labels(method, _route(scope), str(status)).observe(seconds)


def _route(scope: Scope) -> str:
    route: str = getattr(scope.get("route"), "path", "")
    return route


def _traceparent(scope: Scope) -> str | None:
    value: bytes | None = next((value for name, value in scope["headers"] if name == b"traceparent"), None)
    return value.decode("latin-1") if value is not None else None
