"""A process that has lost its lock leaves the job to the process that has the lock."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import pytest
from rondo.chassis.errors import UnavailableError
from rondo.ingestion.errors import ScoringFailedError
from rondo.ingestion.scoring import coordinator
from rondo.ingestion.scoring.delta_scores import DeltaScores
from rondo.ingestion.scoring.delta_source import DeltaSource
from rondo.ingestion.scoring.jobs import table_of

from tests.ingestion.scoring.stage import Stage, check, fill, requested

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pyarrow as pa
    from rondo.ingestion.scoring.plan import Part

pytestmark = pytest.mark.usefixtures("small_parts")


async def test_a_process_that_lost_its_lock_sends_and_commits_nothing(tmp_path: Path) -> None:
    fill(str(tmp_path), 120)
    stage, request = Stage(str(tmp_path)), requested(0)
    stage.jobs.request(request)

    async def ticks() -> None:
        stage.jobs.lost = True
        with pytest.raises(UnavailableError):
            await stage.coordinator.tick()

    await ticks()
    assert request.job not in stage.jobs.parts
    await stage.jobs.save_plan(request.job, stage.coordinator.source.parts(request))
    await ticks()
    assert stage.sent == []
    whole = stage.message

    def losing(value: bytes) -> dict[str, Any]:
        stage.jobs.lost = len(stage.sent) == 3
        return whole(value)

    stage.jobs.lost, stage.message = False, losing  # type: ignore[method-assign]
    with pytest.raises(UnavailableError):
        await stage.coordinator.tick()
    assert (stage.sent, stage.jobs.events) == ([0, 1, 2], [])
    assert not (tmp_path / table_of(request) / "_delta_log").exists()


@pytest.mark.medium
@pytest.mark.parametrize("lost_at", ["plan", "answer", "commit"])
async def test_a_process_notices_that_its_lock_is_lost_while_it_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lost_at: str
) -> None:
    """A check every few seconds also keeps the lock, which an idle session loses."""
    monkeypatch.setattr(coordinator, "_CHECK_SECONDS", 0.01)
    fill(str(tmp_path), 60)
    stage, request = Stage(str(tmp_path), silence=3600, times=0 if lost_at == "answer" else 1), requested(0)
    stage.jobs.request(request)
    ended = threading.Event()

    def endless(*_: object) -> None:
        stage.jobs.lost = True
        ended.wait(30)

    async def no_answer(value: bytes, key: str) -> None:
        stage.jobs.lost = len(stage.sent) == 1
        await stage.send(value, key)

    of, name = {"plan": (DeltaSource, "parts"), "commit": (DeltaScores, "commit")}.get(lost_at, (Stage, "scores"))
    monkeypatch.setattr(of, name, endless)
    if lost_at == "answer":
        stage.coordinator.send = no_answer
    try:
        async with asyncio.timeout(10):
            with pytest.raises(UnavailableError):
                await stage.coordinator.tick()
    finally:
        ended.set()
    assert stage.jobs.events == []


async def test_a_process_that_lost_its_lock_forgets_no_parts(tmp_path: Path) -> None:
    """Another process runs the job then, and these parts are its plan."""
    rows = fill(str(tmp_path), 120)
    stage, request = Stage(str(tmp_path)), requested(0)
    stage.jobs.request(request)

    def read(*_: object) -> Iterator[tuple[Part, pa.RecordBatch]]:
        stage.jobs.lost = True
        raise ScoringFailedError("data_changed", "another version has this number")

    with patch.object(DeltaSource, "read", read), pytest.raises(UnavailableError):
        await stage.coordinator.tick()
    assert len(stage.jobs.parts[request.job]) == 3
    stage.jobs.lost = False
    await stage.coordinator.tick()
    check(stage.scores(request), rows)
