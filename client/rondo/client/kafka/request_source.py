"""The requests of a stream, from an asynchronous iterable or from a plain iterable, which may block."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, AsyncIterable, Iterable
from typing import TYPE_CHECKING

from rondo.client.errors import RefusedError
from rondo.contracts.events.predictions import PredictionRequested

if TYPE_CHECKING:
    from collections.abc import Iterator

Requests = AsyncIterable[PredictionRequested] | Iterable[PredictionRequested]
READ_AHEAD = 1_000


async def each(requests: Requests) -> AsyncGenerator[PredictionRequested, None]:
    """Yield the requests one by one. A plain iterable is read in its own thread, up to READ_AHEAD requests ahead.

    Raises:
        RefusedError: an item is not a request, but for example a dict.

    """
    if isinstance(requests, AsyncIterable):
        async for request in requests:
            yield _checked(request)
        return
    reader = _ThreadedReader(iter(requests), asyncio.get_running_loop())
    # A daemon thread, because a source that blocks forever can't be interrupted, and must not keep the process alive.
    threading.Thread(target=reader.run, name="requests", daemon=True).start()
    try:
        while (chunk := await reader.chunk()) is not None:
            for request in chunk:
                yield _checked(request)
    finally:
        reader.stop()


def _checked(request: object) -> PredictionRequested:
    if isinstance(request, PredictionRequested):
        return request
    raise RefusedError(
        f"a request of the stream is of the type {type(request).__name__}: make each one with "
        "`rondo.client.request(model, features)`, which also takes `id`, `entity` and `event_time`",
        code="not_a_request",
    )


class _ThreadedReader:
    """Returns all requests read since the last call. A switch between threads for each request would cost more."""

    def __init__(self, source: Iterator[PredictionRequested], loop: asyncio.AbstractEventLoop) -> None:
        self._source, self._loop = source, loop
        self._read: list[PredictionRequested] = []
        self._error: BaseException | None = None
        self._ended = self._stopped = False
        self._lock, self._room = threading.Lock(), threading.Semaphore(READ_AHEAD)
        self._changed = asyncio.Event()

    def run(self) -> None:
        """Read to the end, or until stopped. `chunk` raises an error of the source."""
        try:
            for request in self._source:
                self._room.acquire()
                if self._stopped:
                    return
                with self._lock:
                    self._read.append(request)
                    is_first = len(self._read) == 1
                if is_first:
                    self._wake()
        except BaseException as error:  # noqa: BLE001 - raised again by `chunk`, as is SystemExit
            self._error = error
        self._ended = True
        self._wake()

    async def chunk(self) -> list[PredictionRequested] | None:
        """Return the requests read since the last call. None at the end."""
        await self._changed.wait()
        self._changed.clear()
        # The end is checked first, so that the chunk has everything that was read before the end.
        ended = self._ended
        with self._lock:
            chunk, self._read = self._read, []
        if chunk:
            self._room.release(len(chunk))
        if ended:
            self._changed.set()
        if chunk or not ended:
            return chunk
        if self._error is not None:
            raise self._error
        return None

    def stop(self) -> None:
        self._stopped = True
        self._room.release()

    def _wake(self) -> None:
        if not self._stopped:
            self._loop.call_soon_threadsafe(self._changed.set)
