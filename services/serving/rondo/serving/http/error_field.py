"""Adds the member `error` to problem documents. Clients of the Open Inference Protocol read the message there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
from starlette.datastructures import MutableHeaders

from rondo.chassis.http.problems import MEDIA_TYPE

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_CONTENT_TYPE = (b"content-type", MEDIA_TYPE.encode())


class AddErrorField:
    """ASGI middleware. It is the outermost, so that it includes the responses of authentication."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        start: Message | None = None
        parts: list[bytes] = []

        async def forward(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start" and _CONTENT_TYPE in message["headers"]:
                start = message
            elif start is None:
                await send(message)
            else:
                parts.append(message.get("body", b""))
                if not message.get("more_body", False):
                    body = with_error(b"".join(parts))
                    MutableHeaders(scope=start)["content-length"] = str(len(body))
                    await send(start)
                    await send({"type": "http.response.body", "body": body})

        await self._app(scope, receive, forward)


def with_error(body: bytes) -> bytes:
    content = orjson.loads(body)
    return orjson.dumps(content | {"error": content["detail"]})
