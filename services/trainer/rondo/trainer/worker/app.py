"""The composition root of the worker process. It imports all libraries of estimators, so that a run starts at once."""

from __future__ import annotations

import asyncio
import os
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from importlib.resources import files
from typing import TYPE_CHECKING

from rondo.chassis.artifacts import Artifacts
from rondo.chassis.postgres import pool
from rondo.trainer.dataset.delta_tables import DeltaDatasets
from rondo.trainer.estimators.lightgbm import LightGbm
from rondo.trainer.estimators.sklearn import Sklearn
from rondo.trainer.estimators.xgboost import XgBoost
from rondo.trainer.evaluation.training_evidence import library_version
from rondo.trainer.functions.trainer import Functions
from rondo.trainer.onnx_graph.isolated_run import IsolatedRun
from rondo.trainer.onnx_graph.runtime import Scorer
from rondo.trainer.pipeline import Pipeline
from rondo.trainer.worker import code_version
from rondo.trainer.worker.attempt import Attempt
from rondo.trainer.worker.loop import Worker, first_of
from rondo.trainer.worker.queue import PostgresRunQueue
from rondo.trainer.worker.supervisor import READY

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from concurrent.futures import Executor
    from pathlib import Path

    from rondo.trainer.estimators.base import Estimator
    from rondo.trainer.settings import Settings


async def run(settings: Settings, name: str) -> None:
    """Work until the service that started this process has ended."""
    async with _service() as (stop, service), AsyncExitStack() as stack:
        connected = pool.connect(settings, files("rondo.trainer") / "migrations")
        opening = asyncio.create_task(stack.enter_async_context(connected))
        # PostgreSQL may be unavailable for any length of time, and the service may end meanwhile.
        await first_of(asyncio.wait({opening}), stop.wait())
        if not opening.done():
            opening.cancel()
            return
        queue = PostgresRunQueue(opening.result(), name, timedelta(seconds=settings.worker_lease))
        version = await asyncio.to_thread(code_version.describe) or library_version("rondo-trainer")
        attempt = Attempt(
            queue,
            DeltaDatasets(settings.data),
            Artifacts(settings.artifacts),
            pipeline(settings.worker_threads, settings.functions, settings.function_seconds),
            _training_thread(settings.worker_niceness),
            version,
        )
        service.write(READY)
        await Worker(queue, attempt, stop, settings.worker_lease, settings.worker_attempts).work()


def pipeline(threads: int, functions: Path | None = None, function_seconds: float = 3600.0) -> Pipeline:
    """Return the pipeline with every estimator, by the name that a spec gives in `trainer.kind`.

    `functions` is the folder with the packages of functions that train.
    """
    estimators: dict[str, Estimator] = {
        "lightgbm": LightGbm(threads),
        "xgboost": XgBoost(threads),
        "sklearn": Sklearn(threads),
    }
    half = threads // 2
    # Two concurrent fits with half of the threads each are faster than two fits in sequence: threads of one fit wait
    # for each other after every feature and leaf. The libraries of scikit-learn have one number of threads per process.
    halved: dict[str, Estimator] = {"lightgbm": LightGbm(half), "xgboost": XgBoost(half)} if half else {}
    run = IsolatedRun(threads)
    return Pipeline(estimators, Functions(functions, threads, function_seconds, run), Scorer(threads), run, halved)


def _training_thread(niceness: int) -> Executor:
    """Return the one thread that reads data and trains. The threads that it starts inherit its low priority.

    The other threads keep the normal priority (Linux has a niceness per thread), because claims and leases must not
    wait on a busy machine.
    """
    return ThreadPoolExecutor(1, "training", os.nice, (niceness,))


@asynccontextmanager
async def _service() -> AsyncIterator[tuple[asyncio.Event, asyncio.StreamWriter]]:
    """Open the socket to the service (see `supervisor.py`). The event is set when the service has ended."""
    stop = asyncio.Event()
    reader, writer = await asyncio.open_connection(sock=socket.socket(fileno=os.dup(0)))
    watch = asyncio.create_task(_until_gone(reader, stop))
    try:
        yield stop, writer
    finally:
        watch.cancel()
        writer.close()


async def _until_gone(reader: asyncio.StreamReader, stop: asyncio.Event) -> None:
    try:
        await reader.read()
    except ConnectionError:
        pass
    finally:
        stop.set()
