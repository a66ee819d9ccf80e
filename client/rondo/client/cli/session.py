"""Runs a command with one client: connect, run, close."""

from __future__ import annotations

import asyncio
import os
from contextvars import ContextVar
from typing import TYPE_CHECKING, TypeVar

from rondo.client.asynchronous import AsyncRondo
from rondo.client.connection import Connection

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")
_token: ContextVar[str | None] = ContextVar("token", default=None)


def use_token(token: str | None) -> None:
    """Use this token for the command in place of the environment's. None keeps that of the environment."""
    _token.set(token)


def connection() -> Connection:
    """Return the connection that the command uses.

    Raises:
        NoConnectionError: no connection is configured, and no stack runs here.

    """
    token = _token.get()
    return Connection.discover({**os.environ, **({"RONDO_TOKEN": token} if token else {})})


def run(work: Callable[[AsyncRondo], Awaitable[T]]) -> T:
    """Run `work` with a client, and return its result."""

    async def main() -> T:
        async with AsyncRondo(connection()) as rondo:
            return await work(rondo)

    return asyncio.run(main())
