"""Rondo from a program without asyncio: every method of AsyncRondo, waited for. The logic is there alone."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Self, TypeVar

from rondo.client.asynchronous import AsyncRondo

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator

    from rondo.client.connection import Connection

P = ParamSpec("P")
T = TypeVar("T")
_END: Any = object()
_CANCEL_SECONDS = 10


class _Loop:
    """An event loop on a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="rondo", daemon=True)

    def start(self) -> None:
        """Begin to run."""
        self._thread.start()

    def wait_for(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine there, and return its result; an interruption here cancels it there."""
        ended = threading.Event()

        async def run() -> T:
            try:
                return await coroutine
            finally:
                ended.set()

        future = asyncio.run_coroutine_threadsafe(run(), self._loop)
        try:
            return future.result()
        except BaseException:
            # What was cancelled cleans up behind itself before anything else is asked for.
            future.cancel()
            ended.wait(_CANCEL_SECONDS)
            raise

    def stop(self) -> None:
        """End what is still running there, as asyncio.run does, and the thread."""
        self.wait_for(_end_all())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _end_all() -> None:
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)


def _waiting(
    method: Callable[Concatenate[AsyncRondo, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[Rondo, P], T]:
    def waited(self: Rondo, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self.loop.wait_for(method(self.rondo, *args, **kwargs))

    return _as(method, waited)


def _iterating(
    method: Callable[Concatenate[AsyncRondo, P], AsyncGenerator[T, None]],
) -> Callable[Concatenate[Rondo, P], Iterator[T]]:
    def iterated(self: Rondo, /, *args: P.args, **kwargs: P.kwargs) -> Iterator[T]:
        source = method(self.rondo, *args, **kwargs)
        try:
            while (item := self.loop.wait_for(_next(source))) is not _END:
                yield item
        finally:
            self.loop.wait_for(source.aclose())

    return _as(method, iterated)


async def _next(source: AsyncGenerator[T, None]) -> T:
    return await anext(source, _END)


def _as(method: Any, bridged: T) -> T:
    for attribute in ("__name__", "__doc__"):
        setattr(bridged, attribute, getattr(method, attribute))
    return bridged


class Rondo:
    """A running Rondo; `with` it. Its methods are AsyncRondo's."""

    def __init__(self, connection: Connection, user: str | None = None) -> None:
        self.connection = connection
        self.loop = _Loop()
        self.rondo: AsyncRondo
        self._user = user

    def __enter__(self) -> Self:
        """Open."""
        self.loop.start()
        self.rondo = self.loop.wait_for(self._enter())
        return self

    async def _enter(self) -> AsyncRondo:
        return await AsyncRondo(self.connection, self._user).__aenter__()

    def __exit__(self, *_: object) -> None:
        """Close everything."""
        self.loop.wait_for(self.rondo.__aexit__())
        self.loop.stop()

    apply = _waiting(AsyncRondo.apply)
    publish = _waiting(AsyncRondo.publish)
    dataset = _waiting(AsyncRondo.dataset)
    quarantine = _waiting(AsyncRondo.quarantine)
    predict = _waiting(AsyncRondo.predict)
    predict_http = _waiting(AsyncRondo.predict_http)
    inputs = _waiting(AsyncRondo.inputs)
    stream = _iterating(AsyncRondo.stream)
    send_outcome = _waiting(AsyncRondo.send_outcome)
    failed = _iterating(AsyncRondo.failed)
    watch = _iterating(AsyncRondo.watch)
    models = _waiting(AsyncRondo.models)
    model = _waiting(AsyncRondo.model)
    spec = _waiting(AsyncRondo.spec)
    versions = _waiting(AsyncRondo.versions)
    version = _waiting(AsyncRondo.version)
    lineage = _waiting(AsyncRondo.lineage)
    history = _waiting(AsyncRondo.history)
    audit = _waiting(AsyncRondo.audit)
    runs = _waiting(AsyncRondo.runs)
    artifact = _waiting(AsyncRondo.artifact)
    promote = _waiting(AsyncRondo.promote)
    rollback = _waiting(AsyncRondo.rollback)
    train = _waiting(AsyncRondo.train)
    status = _waiting(AsyncRondo.status)
