"""How a service runs: from its settings to a graceful stop, and never on with a part of it dead."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeVar

from rondo.chassis import settings as settings_module
from rondo.chassis import telemetry
from rondo.chassis.http.server import PortTakenError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine
    from contextlib import AbstractAsyncContextManager
    from typing import Any

    from rondo.chassis.settings import ServiceSettings

log = logging.getLogger(__name__)
S = TypeVar("S", bound="ServiceSettings")


def main(settings: type[S], application: Callable[[S], AbstractAsyncContextManager[object]]) -> None:
    """Run a service until SIGTERM or SIGINT: the whole of a service's `__main__`.

    Exits with 2 for settings that can't be used or a port that is taken, and with 1 when a part of the service
    died, so that whoever supervises it starts it anew.
    """
    loaded = settings_module.load_or_exit(settings)
    telemetry.set_up(loaded)
    try:
        asyncio.run(_run(application(loaded)))
    except* PortTakenError as group:
        log.critical("%s", group.exceptions[0])
        sys.exit(2)


async def _run(application: AbstractAsyncContextManager[object]) -> None:
    """Hold the application open until a signal. One that comes while it still opens ends that, too."""
    task = asyncio.current_task()
    stop = asyncio.Event()
    opened = False

    def on_signal() -> None:
        stop.set()
        if not opened and task is not None:
            task.cancel()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal)
    try:
        async with application:
            opened = True
            log.info("ready")
            await stop.wait()
            log.info("stopping")
    except asyncio.CancelledError:
        if not stop.is_set():
            raise


@asynccontextmanager
async def background(*coroutines: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run coroutines beside the body, and cancel them at its end.

    When one of them fails, the body is cancelled and the failure raised: a service never goes on with a part dead.
    """
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(coroutine) for coroutine in coroutines]
        yield
        for task in tasks:
            task.cancel()
