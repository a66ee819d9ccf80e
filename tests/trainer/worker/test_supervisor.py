"""The supervisor restarts a worker that dies. Small Python programs stand in for it."""

# ruff: noqa: ASYNC110 - a plain list notifies of no change

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from rondo.chassis.errors import Backoff, UnavailableError
from rondo.trainer.worker.supervisor import Supervisor

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

# The programs are processes.
pytestmark = pytest.mark.process
WORKS = "import socket; s = socket.socket(fileno=0); s.sendall(b'ready\\n'); s.recv(1)"
DIES = "raise SystemExit(3)"


@asynccontextmanager
async def supervised(program: str) -> AsyncIterator[tuple[Supervisor, list[str]]]:
    dead: list[str] = []

    async def on_death(worker: str) -> None:
        dead.append(worker)

    supervisor = Supervisor((sys.executable, "-c", program), on_death, Backoff(first=0.01, cap=0.02))
    task = asyncio.create_task(supervisor.run())
    try:
        yield supervisor, dead
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until_ready(supervisor: Supervisor) -> int:
    async with asyncio.timeout(20):
        while True:
            try:
                await supervisor.check()
            except UnavailableError:
                await asyncio.sleep(0.01)
            else:
                assert supervisor.pid is not None
                return supervisor.pid


async def test_a_worker_is_ready_when_it_reports_it() -> None:
    async with supervised(WORKS) as (supervisor, dead):
        with pytest.raises(UnavailableError) as caught:
            await supervisor.check()
        assert caught.value.what == "the worker process"
        await until_ready(supervisor)
        assert dead == []


async def test_a_worker_that_dies_is_reported_and_restarted() -> None:
    async with supervised(WORKS) as (supervisor, dead):
        first = await until_ready(supervisor)
        os.kill(first, signal.SIGKILL)
        async with asyncio.timeout(20):
            while not dead:
                await asyncio.sleep(0.01)
        assert await until_ready(supervisor) != first
        assert len(dead) == 1


async def test_a_worker_that_can_not_start_is_tried_again_and_again() -> None:
    async with supervised(DIES) as (supervisor, dead):
        async with asyncio.timeout(20):
            while len(dead) < 3:
                await asyncio.sleep(0.01)
        with pytest.raises(UnavailableError):
            await supervisor.check()
        assert len(set(dead)) == len(dead), "each has a name of its own"


async def test_an_idle_worker_leaves_with_its_service() -> None:
    async with supervised(WORKS) as (supervisor, _):
        worker = await until_ready(supervisor)
    with pytest.raises(ProcessLookupError):
        os.kill(worker, 0)


async def test_a_busy_worker_is_left_to_finish(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rondo.trainer.worker.supervisor._EXIT_SECONDS", 0.1)
    done = tmp_path / "done"
    busy = f"{WORKS}\nimport time, pathlib; time.sleep(1); pathlib.Path({str(done)!r}).write_text('finished')"
    async with supervised(busy) as (supervisor, _):
        worker = await until_ready(supervisor)
    assert not done.exists()
    await asyncio.to_thread(os.waitpid, worker, 0)
    assert done.read_text() == "finished"
