"""Answers 503 until the API's application exists: the server listens while the first deployments are still loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import JSONResponse

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send


class DeferredApp:
    """An ASGI application that is set later."""

    def __init__(self) -> None:
        self.app: ASGIApp = JSONResponse(
            {"error": "the HTTP API is starting; try again in a second"}, status_code=503, headers={"retry-after": "1"}
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)
