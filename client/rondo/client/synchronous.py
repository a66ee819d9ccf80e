"""The client for programs without asyncio. Each method runs that of AsyncRondo on an event loop in a thread."""

from __future__ import annotations

import asyncio
import inspect
import threading
from functools import update_wrapper
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Self, TypeVar

from rondo.client.asynchronous import AsyncRondo
from rondo.client.connection import Connection

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator

    from rondo.client.registration.client import Source
    from rondo.client.registration.outcome import Registration


P = ParamSpec("P")
T = TypeVar("T")
_END: Any = object()
_CANCEL_SECONDS = 10


class _Loop:
    """An event loop in its own thread."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="rondo", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wait_for(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the loop, and return its result.

        An interruption, such as Ctrl-C, cancels the coroutine.
        """
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
            # The coroutine cleans up before the next call starts.
            future.cancel()
            ended.wait(_CANCEL_SECONDS)
            raise

    def stop(self) -> None:
        """Cancel all tasks, as asyncio.run does, and end the thread."""
        self.wait_for(_end_all())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _end_all() -> None:
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)


def _blocking(
    method: Callable[Concatenate[AsyncRondo, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[Rondo, P], T]:
    def waited(self: Rondo, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self.loop.wait_for(method(self.rondo, *args, **kwargs))

    described: Callable[Concatenate[Rondo, P], T] = _as(method, waited)
    return described


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

    described: Callable[Concatenate[Rondo, P], Iterator[T]] = _as(method, iterated)
    return described


async def _next(source: AsyncGenerator[T, None]) -> T:
    return await anext(source, _END)


def _as(method: Any, bridged: Any) -> Any:
    """Give a method the name, docstring and parameters of the method that it calls, for `help` and editors."""
    update_wrapper(bridged, method)
    signature = inspect.signature(method)
    bridged.__signature__ = signature.replace(return_annotation=_without_asyncio(str(signature.return_annotation)))
    return bridged


def _without_asyncio(annotation: str) -> str:
    return annotation.replace("AsyncGenerator[", "Iterator[").replace(", None]", "]")


class Rondo:
    """A client of a running Rondo. Use it with `with`. Its methods are those of AsyncRondo."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.loop = _Loop()
        self.rondo: AsyncRondo

    def __enter__(self) -> Self:
        self.loop.start()
        self.rondo = self.loop.wait_for(self._enter())
        return self

    async def _enter(self) -> AsyncRondo:
        return await AsyncRondo(self.connection).__aenter__()

    def __exit__(self, *_: object) -> None:
        self.loop.wait_for(self.rondo.__aexit__())
        self.loop.stop()

    apply = _blocking(AsyncRondo.apply)
    publish = _blocking(AsyncRondo.publish)
    dataset = _blocking(AsyncRondo.dataset)
    quarantine = _blocking(AsyncRondo.quarantine)
    predict = _blocking(AsyncRondo.predict)
    predict_http = _blocking(AsyncRondo.predict_http)
    inputs = _blocking(AsyncRondo.inputs)
    classes = _blocking(AsyncRondo.classes)
    stream = _iterating(AsyncRondo.stream)
    send_outcome = _blocking(AsyncRondo.send_outcome)
    send_outcomes = _blocking(AsyncRondo.send_outcomes)
    failed = _iterating(AsyncRondo.failed)
    watch = _iterating(AsyncRondo.watch)
    models = _blocking(AsyncRondo.models)
    model = _blocking(AsyncRondo.model)
    declared_datasets = _blocking(AsyncRondo.declared_datasets)
    remove_dataset = _blocking(AsyncRondo.remove_dataset)
    spec = _blocking(AsyncRondo.spec)
    versions = _blocking(AsyncRondo.versions)
    version = _blocking(AsyncRondo.version)
    lineage = _blocking(AsyncRondo.lineage)
    history = _blocking(AsyncRondo.history)
    audit = _blocking(AsyncRondo.audit)
    runs = _blocking(AsyncRondo.runs)
    artifact = _blocking(AsyncRondo.artifact)
    promote = _blocking(AsyncRondo.promote)
    rollback = _blocking(AsyncRondo.rollback)
    rollout = _blocking(AsyncRondo.rollout)
    rollouts = _blocking(AsyncRondo.rollouts)
    decide_rollout = _blocking(AsyncRondo.decide_rollout)
    train = _blocking(AsyncRondo.train)
    register = _blocking(AsyncRondo.register)
    signature = _blocking(AsyncRondo.signature)
    score_rows = _blocking(AsyncRondo.score_rows)
    score = _blocking(AsyncRondo.score)
    scoring_job = _blocking(AsyncRondo.scoring_job)
    scoring_jobs = _blocking(AsyncRondo.scoring_jobs)
    data_version = _blocking(AsyncRondo.data_version)
    remove = _blocking(AsyncRondo.remove)
    create_token = _blocking(AsyncRondo.create_token)
    tokens = _blocking(AsyncRondo.tokens)
    rotate_token = _blocking(AsyncRondo.rotate_token)
    revoke_token = _blocking(AsyncRondo.revoke_token)
    monitoring = _blocking(AsyncRondo.monitoring)
    monitor_replicas = _blocking(AsyncRondo.monitor_replicas)
    drift = _blocking(AsyncRondo.drift)
    windows = _blocking(AsyncRondo.windows)
    window = _blocking(AsyncRondo.window)
    window_report = _blocking(AsyncRondo.window_report)
    wanted_labels = _blocking(AsyncRondo.wanted_labels)
    alerts = _blocking(AsyncRondo.alerts)
    deliveries = _blocking(AsyncRondo.deliveries)
    redeliver = _blocking(AsyncRondo.redeliver)
    silence = _blocking(AsyncRondo.silence)
    silences = _blocking(AsyncRondo.silences)
    end_silence = _blocking(AsyncRondo.end_silence)
    report = _blocking(AsyncRondo.report)
    status = _blocking(AsyncRondo.status)


def register(model: str, source: Source, **options: Any) -> Registration:
    """Register a model that was made elsewhere with the platform of `Connection.discover()`.

    `options`, errors and result are those of `Rondo.register`.

    Raises:
        NoConnectionError: no platform is found.

    """
    with Rondo(Connection.discover()) as rondo:
        return rondo.register(model, source, **options)
