"""The embedded stack, which is a package of its own: it may not be installed where only the client is."""

from __future__ import annotations

import asyncio
import signal
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from rondo.client.errors import RondoError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterator

    from rondo.embedded import Stack

T = TypeVar("T")


class NotInstalledError(RondoError):
    """A part of Rondo that this command needs is not installed."""

    def __init__(self, package: str, instead: str) -> None:
        super().__init__(f"this needs the package {package}: install it (`pip install {package}`), or {instead}")


class StackError(RondoError):
    """The embedded stack can't start, or broke; the text is its own."""


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run what holds a stack, such that Ctrl-C and SIGTERM end it in an orderly way.

    A shell starts its background jobs with SIGINT ignored, and then neither signal would end them.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    return asyncio.run(main)


@asynccontextmanager
async def running(*, keep: bool, progress: Callable[[str], None]) -> AsyncIterator[Stack]:
    """Run the stack in RONDO_HOME (or `.rondo`) until the body ends; `keep` goes on with what is there.

    Raises:
        NotInstalledError: rondo-embedded is not here.
        StackError: it can't start.

    """
    with translated():
        from rondo.embedded import Stack  # noqa: PLC0415 - it may not be installed

        async with Stack(keep=keep, progress=progress) as stack:
            yield stack


async def keep_running(here: Stack, say: Callable[[str], None]) -> None:
    """Start again what dies of a stack, and say so, until cancelled."""
    from rondo.embedded.processes.process_monitor import keep_running as watch  # noqa: PLC0415 - as above

    await watch(here, say)


def stop() -> int | None:
    """End the stack that runs in RONDO_HOME (or `.rondo`), wait for it, and return its pid, or None if none runs.

    Raises:
        NotInstalledError: rondo-embedded is not here.
        StackError: it can't be stopped.

    """
    with translated():
        from rondo.embedded import default_home, stop_holder  # noqa: PLC0415 - it may not be installed

        try:
            stopped = stop_holder(default_home())
        except TimeoutError as error:
            raise StackError(f"{error}: end it with kill -9") from error
        except PermissionError as error:
            raise StackError(f"it belongs to another user ({error}): ask that one to stop it") from error
    return stopped.pid if stopped else None


@contextmanager
def translated() -> Iterator[None]:
    """Turn errors of the embedded stack into ones of the client."""
    try:
        from rondo.embedded import EmbeddedError  # noqa: PLC0415 - it may not be installed
    except ModuleNotFoundError as error:
        instead = "use a Rondo that runs elsewhere by setting RONDO_KAFKA, RONDO_REGISTRY_URL and the others"
        raise NotInstalledError("rondo-embedded", instead) from error
    try:
        yield
    except EmbeddedError as error:
        raise StackError(str(error)) from error
