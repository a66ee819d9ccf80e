"""The composition root of the worker process. Importing it loads all that a training takes: runs start at once."""

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
from rondo.trainer.estimators.lightgbm import Fitter
from rondo.trainer.evaluation import code_version as git
from rondo.trainer.evaluation.evidence import library_version
from rondo.trainer.graph.runtime import Scorer
from rondo.trainer.pipeline import Training
from rondo.trainer.runs.queue import PostgresRuns
from rondo.trainer.runs.supervisor import READY
from rondo.trainer.worker.attempt import Attempt
from rondo.trainer.worker.loop import Worker, first_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from concurrent.futures import Executor

    from rondo.trainer.settings import Settings


async def run(settings: Settings, name: str) -> None:
    """Work until the service that started this process has gone."""
    async with _service() as (leave, service), AsyncExitStack() as stack:
        connected = pool.connect(settings, files("rondo.trainer") / "migrations")
        opening = asyncio.create_task(stack.enter_async_context(connected))
        # Both may take forever: PostgreSQL to come, and the service to go.
        await first_of(asyncio.wait({opening}), leave.wait())
        if not opening.done():
            opening.cancel()
            return
        database = opening.result()
        runs = PostgresRuns(database, name, timedelta(seconds=settings.worker_lease))
        code_version = await asyncio.to_thread(git.describe) or library_version("rondo-trainer")
        training = Training(Fitter(settings.worker_threads), Scorer(settings.worker_threads))
        datasets, artifacts = DeltaDatasets(settings.data), Artifacts(settings.artifacts)
        attempt = Attempt(runs, datasets, artifacts, training, _background(settings.worker_niceness), code_version)
        service.write(READY)
        await Worker(runs, attempt, leave, settings.worker_lease, settings.worker_attempts).work()


def _background(niceness: int) -> Executor:
    """Return the one thread for the data and the training; the threads that these begin inherit its low priority.

    Not the whole process (Linux keeps a niceness for each thread): claims and leases must not wait for a busy machine.
    """
    return ThreadPoolExecutor(1, "training", os.nice, (niceness,))


@asynccontextmanager
async def _service() -> AsyncIterator[tuple[asyncio.Event, asyncio.StreamWriter]]:
    """Open the socket to the service (see `supervision.py`); the event is set when the service has gone."""
    leave = asyncio.Event()
    reader, writer = await asyncio.open_connection(sock=socket.socket(fileno=os.dup(0)))
    watch = asyncio.create_task(_until_gone(reader, leave))
    try:
        yield leave, writer
    finally:
        watch.cancel()
        writer.close()


async def _until_gone(reader: asyncio.StreamReader, leave: asyncio.Event) -> None:
    try:
        await reader.read()
    except ConnectionError:
        pass
    finally:
        leave.set()
