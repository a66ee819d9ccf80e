"""Calls the endpoints of inferences without the router, whose middleware and patterns cost more than a prediction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.requests import Request

from rondo.serving.http.errors import HANDLERS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.routing import Route
    from starlette.types import ASGIApp, Receive, Scope, Send

# Other exceptions are errors of this service. A middleware around this application answers them.
_EXPECTED = tuple(kind for kind in HANDLERS if kind is not Exception)


class DirectRouting:
    """An ASGI application that calls the endpoints of `POST …/infer`. All other requests go to `app`, the router.

    The path is `/v2/models/{model}/infer` or `/v2/models/{model}/versions/{version}/infer`.
    """

    def __init__(self, routes: Sequence[Route], app: ASGIApp) -> None:
        self._app = app
        self._routes = {len(route.path.split("/")): route for route in routes if route.path.endswith("/infer")}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        parts = scope["path"].split("/")
        route = self._routes.get(len(parts))
        if route is None or scope["method"] != "POST" or not _matches(parts, route.path.split("/")):
            await self._app(scope, receive, send)
            return
        names = zip(route.path.split("/"), parts, strict=True)
        scope["route"], scope["path_params"] = route, {name[1:-1]: part for name, part in names if name[:1] == "{"}
        request = Request(scope, receive, send)
        try:
            answer = await route.endpoint(request)
        except _EXPECTED as error:
            handler: Any = next(HANDLERS[kind] for kind in type(error).__mro__ if kind in HANDLERS)
            answer = await handler(request, error)
        await answer(scope, receive, send)


def _matches(parts: Sequence[str], template: Sequence[str]) -> bool:
    return all(part and (name == part or name[0] == "{") for part, name in zip(parts[1:], template[1:], strict=True))
