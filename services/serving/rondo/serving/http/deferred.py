"""Answers 503 until the API's application exists: the server listens while the first deployments are still loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rondo.chassis.http.problems import problem

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send


class DeferredApp:
    """An ASGI application that is set later."""

    def __init__(self) -> None:
        detail = "the HTTP API is starting; try again in a second"
        self.app: ASGIApp = problem(503, "unavailable", detail, headers={"retry-after": "1"})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)
