"""The HTTP API on BentoML's ASGI application without its middleware, built while the rest of the service runs already.

The chain of middleware that BentoML adds (traces, access log, metrics, timeout, context) costs more than the
inference; metrics and traces of this service are its own. The chassis serves the application and guards it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse

from rondo.chassis.errors import UnavailableError

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.types import ASGIApp, Receive, Scope, Send


def on_bentoml(api: Starlette) -> ASGIApp:
    """Mount the API on a BentoML service, and return its application bare. Takes a second or two: the import."""
    import bentoml  # noqa: PLC0415 - its import would hold up the stream's start

    service = bentoml.service(name="rondo-serving")(type("Predictions", (), {}))
    service.mount_asgi_app(api, path="/")
    app: Starlette = service.to_asgi(is_main=False)
    app.user_middleware.clear()
    # A path that the API does not have never reaches it: what is said there is BentoML's, unless it is told.
    for kind, handler in api.exception_handlers.items():
        app.add_exception_handler(kind, handler)
    return app


class LateApp:
    """An ASGI application that is built while the rest of the service runs already; 503 until then."""

    def __init__(self) -> None:
        self._app: ASGIApp = JSONResponse(
            {"error": "the HTTP API is starting; try again in a second"}, status_code=503, headers={"retry-after": "1"}
        )
        self._built = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on."""
        await self._app(scope, receive, send)

    async def build(self, app: Starlette, after: asyncio.Event) -> None:
        """Build it on a thread, once `after` is set: the stream should not wait for imports that take a second."""
        await after.wait()
        self._app = await asyncio.to_thread(on_bentoml, app)
        self._built = True

    async def check(self) -> None:
        """Tell the truth for `/readyz`.

        Raises:
            UnavailableError: it is not built yet.

        """
        if not self._built:
            raise UnavailableError("the HTTP API", "still starting")
