"""Waits for a condition of another task, process or system, which sends no notification."""

from __future__ import annotations

import asyncio
from inspect import isawaitable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_PAUSE_SECONDS = 0.02


async def until(condition: Callable[[], Any], seconds: float = 20) -> Any:
    """Return the first true result of `condition`, which may be a coroutine function.

    Raises:
        TimeoutError: the condition is not true within `seconds`.

    """
    async with asyncio.timeout(seconds):
        while not (found := await _result(condition)):  # noqa: ASYNC110 - as above
            await asyncio.sleep(_PAUSE_SECONDS)
    return found


async def _result(condition: Callable[[], Any]) -> Any:
    found = condition()
    return await found if isawaitable(found) else found
