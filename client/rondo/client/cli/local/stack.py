"""Access to the embedded stack. Its package is optional, because applications that only use the client lack it."""

from __future__ import annotations

import asyncio
import signal
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from rondo.client.errors import RondoError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
    from pathlib import Path

    from rondo.embedded import Stack

T = TypeVar("T")


class NotInstalledError(RondoError):
    """A package that this command needs is not installed."""

    code = "not_installed"

    def __init__(self, package: str, instead: str) -> None:
        self.package = package
        super().__init__(f"this needs the package {package}: install it (`pip install {package}`), or {instead}")


class StackError(RondoError):
    """The embedded stack failed. The text is that of its own error."""

    code = "stack_failed"


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that uses a stack, so that Ctrl-C and SIGTERM stop the stack gracefully.

    A shell starts background jobs with SIGINT ignored. Without this function neither signal would stop them.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    return asyncio.run(main)


@asynccontextmanager
async def running(
    *, keep: bool, brief: bool = False, progress: Callable[[str], None], functions: Path | None = None
) -> AsyncIterator[Stack]:
    """Run the stack in RONDO_HOME (or `.rondo`) until the body ends. With `keep` it continues with earlier data.

    `functions` is the folder with the trainer's functions, by default RONDO_FUNCTIONS. `brief` is for a stack that only
    runs for minutes.

    Raises:
        NotInstalledError: rondo-embedded is not installed.
        StackError: the stack can't start.

    """
    with translated():
        from rondo.embedded import Stack  # noqa: PLC0415 - it may not be installed

        async with Stack(keep=keep, brief=brief, functions=functions, progress=progress) as stack:
            yield stack


def stop() -> int | None:
    """Stop the stack that runs in RONDO_HOME (or `.rondo`). Return its process id, or None if no stack runs.

    Raises:
        NotInstalledError: rondo-embedded is not installed.
        StackError: the stack can't be stopped.

    """
    with translated():
        from rondo.embedded import default_home, stop_holder  # noqa: PLC0415 - it may not be installed

        try:
            stopped = stop_holder(default_home())
        except TimeoutError as error:
            raise StackError(f"{error}: kill it with kill -9") from error
        except PermissionError as error:
            raise StackError(f"it belongs to another user ({error}): ask that user to stop it") from error
    return stopped.pid if stopped else None


@contextmanager
def translated() -> Iterator[None]:
    """Convert errors of the embedded stack to StackError."""
    try:
        from rondo.embedded import EmbeddedError  # noqa: PLC0415 - it may not be installed
    except ModuleNotFoundError as error:
        instead = "use a Rondo that runs elsewhere by setting RONDO_KAFKA, RONDO_REGISTRY_URL and the others"
        raise NotInstalledError("rondo-embedded", instead) from error
    try:
        yield
    except EmbeddedError as error:
        raise StackError(str(error)) from error
