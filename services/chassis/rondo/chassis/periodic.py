"""Runs a periodic task. Backs off while a dependency is unavailable."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from rondo.chassis.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

log = logging.getLogger(__name__)
UNAVAILABLE_SECONDS = 20.0


async def run_periodically(what: str, tick: Callable[[], Awaitable[float]]) -> None:
    """Call `tick` until cancelled. It returns the seconds until the next call. `what` names the task in the log."""
    while True:
        try:
            pause = await tick()
        except UnavailableError as error:
            log.warning("%s: paused, %s", what, error)
            pause = UNAVAILABLE_SECONDS
        await asyncio.sleep(pause)
