"""The entry point of a service. It exits with an error if any of its background tasks fails."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, NoReturn, TypeVar

from rondo.chassis import settings as settings_module
from rondo.chassis import telemetry
from rondo.chassis.errors import StartRefusedError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine
    from contextlib import AbstractAsyncContextManager
    from typing import Any

    from rondo.chassis.settings import ServiceSettings

log = logging.getLogger(__name__)
S = TypeVar("S", bound="ServiceSettings")


def main(settings: type[S], application: Callable[[S], AbstractAsyncContextManager[object]]) -> None:
    """Run a service until SIGTERM or SIGINT. This is all that a service's `__main__` does.

    Exits with 2 if the settings, the port or the migrations have to be corrected first, and with 1 if a background task
    failed, so that the supervisor restarts the service.
    """
    loaded = settings_module.load_or_exit(settings)
    telemetry.set_up(loaded)
    try:
        with asyncio.Runner(loop_factory=_new_event_loop) as runner:
            runner.run(_run(application(loaded)))
    except StartRefusedError as error:
        _end(error)
    except BaseExceptionGroup as group:
        refused, others = group.split(StartRefusedError)
        if refused is None:
            raise
        _end(_first(refused), others)


def _end(refused: StartRefusedError, others: BaseException | None = None) -> NoReturn:
    """Exit with 2, because a restart would fail in the same way. Other tasks may have failed as a consequence."""
    if others is not None:
        log.error("another task failed as the start was refused", exc_info=others)
    log.critical("%s", refused)
    sys.exit(2)


def _first(group: BaseExceptionGroup[StartRefusedError]) -> StartRefusedError:
    """Return the first error of a group of errors, which may be nested."""
    found: BaseException = group
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    assert isinstance(found, StartRefusedError)  # noqa: S101 - the group has no others
    return found


def _new_event_loop() -> asyncio.AbstractEventLoop:
    """Return a loop of uvloop, which needs about half of the CPU time of asyncio's. Windows has no uvloop."""
    if sys.platform == "win32":
        return asyncio.new_event_loop()
    import uvloop  # noqa: PLC0415 - it is not there on Windows

    return uvloop.new_event_loop()


async def _run(application: AbstractAsyncContextManager[object]) -> None:
    """Keep the application open until a signal. A signal during the start ends the start."""
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
            _keep_uncollected()
            log.info("ready")
            await stop.wait()
            log.info("stopping")
    except asyncio.CancelledError:
        if not stop.is_set():
            raise


def _keep_uncollected() -> None:
    """Exclude all existing objects from garbage collection: modules and open connections live as long as the process.

    A collection of the oldest generation visits all other objects, and blocks the process meanwhile: for 60 to 300 ms
    every second without this exclusion, measured in serving under load.
    """
    gc.collect()
    gc.freeze()


@asynccontextmanager
async def background(*coroutines: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run coroutines while the body runs, and cancel them at its end.

    If one of them fails, the body is cancelled and the error raised.
    """
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(coroutine) for coroutine in coroutines]
        yield
        for task in tasks:
            task.cancel()
