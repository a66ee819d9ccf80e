"""Using Rondo from a command: found, opened, asked, closed."""

from __future__ import annotations

import asyncio
import getpass
import os
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from rondo.client.asynchronous import AsyncRondo
from rondo.client.connection import Connection

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")


def using(work: Callable[[AsyncRondo], Awaitable[T]]) -> T:
    """Run some work with the Rondo that is to be found from here, and return its result."""

    async def run() -> T:
        async with AsyncRondo(Connection.discover(os.environ, Path.cwd()), _user()) as rondo:
            return await work(rondo)

    return asyncio.run(run())


def _user() -> str | None:
    try:
        name = getpass.getuser()
    except (OSError, KeyError):  # a container's user may have no name
        return None
    return name if name.isascii() else None
