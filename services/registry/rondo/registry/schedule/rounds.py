"""What the registry does by itself goes round by round: a turn, a pause, and patience while something is away."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from rondo.chassis.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

log = logging.getLogger(__name__)
AWAY_SECONDS = 20.0


async def go_round(what: str, turn: Callable[[], Awaitable[float]]) -> None:
    """Repeat a turn until cancelled; each returns the seconds until the next. `what` waits, for the log."""
    while True:
        try:
            pause = await turn()
        except UnavailableError as error:
            log.warning("%s wait: %s", what, error)
            pause = AWAY_SECONDS
        await asyncio.sleep(pause)
