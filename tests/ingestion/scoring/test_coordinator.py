"""A job on real tables, with the scoring code of serving: exactly once in spite of crashes, or refused."""

from __future__ import annotations

import asyncio
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rondo.chassis.errors import UnavailableError
from rondo.contracts.events import scores
from rondo.contracts.events.scores import ScoreRequest
from rondo.ingestion.delta.location import Location
from rondo.ingestion.scoring.jobs import table_of

from tests.ingestion.scoring.memory_jobs import MemoryJobs
from tests.ingestion.scoring.stage import KilledError, Stage, check, fill, requested
from tests.serving.builders import FEATURES

if TYPE_CHECKING:
    from pathlib import Path

    from rondo.contracts.events.scoring import ScoringRequested
    from rondo.ingestion.scoring.delta_scores import WrittenPart

pytestmark = pytest.mark.usefixtures("small_parts")


@pytest.mark.medium
async def test_all_rows_of_a_version_are_scored_and_committed_once(tmp_path: Path) -> None:
    rows = fill(str(tmp_path), 120, 30, 101)
    fill(str(tmp_path), 10)  # a later version
    stage, request = Stage(str(tmp_path), times=2), requested(2)
    stage.jobs.request(request)
    assert await stage.coordinator.tick() == 0
    check(stage.scores(request), rows)
    [event] = stage.jobs.events
    assert (event.state, event.rows, event.refused) == ("done", rows, sum(n % 7 == 3 for n in range(rows)))
    assert event.scores is not None
    assert event.scores.table == table_of(request)
    assert len(stage.sent) == 3 + 1 + 3
    assert await stage.coordinator.tick() > 0
    assert len(list((tmp_path / table_of(request)).glob("*.parquet"))) == 7


@pytest.mark.medium
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.integers(1, 12), max_size=6), st.integers(1, 2))
def test_a_job_goes_on_after_each_crash(
    tmp_path_factory: pytest.TempPathFactory, deaths: list[int], times: int
) -> None:
    root = str(tmp_path_factory.mktemp("root"))
    rows, request, jobs = fill(root, 120, 101), requested(1), MemoryJobs()
    jobs.request(request)

    async def run() -> list[int]:
        sent: list[int] = []
        for dies_at in (*deaths, -1):
            stage = Stage(root, jobs, times, dies_at)
            with suppress(KilledError):
                await stage.coordinator.tick()
            sent += stage.sent
        return sent

    sent = asyncio.run(run())
    check(Stage(root, jobs).scores(request), rows)
    assert [event.state for event in jobs.events] == ["done"]
    # A part is sent again only if the process died before its answer was saved.
    assert len(sent) <= 6 + len(deaths)


async def test_a_crash_between_the_commit_and_its_record_commits_nothing_twice(tmp_path: Path) -> None:
    fill(str(tmp_path), 60)
    stage, request = Stage(str(tmp_path)), requested(0)
    stage.jobs.request(request)
    await stage.coordinator.tick()
    [first] = stage.jobs.events
    jobs = MemoryJobs(parts=stage.jobs.parts, done=stage.jobs.done)
    jobs.request(request)
    again = Stage(str(tmp_path), jobs)
    await again.coordinator.tick()
    assert again.sent == []
    assert jobs.events[0].scores == first.scores


@pytest.mark.parametrize(
    ("request_", "code", "words"),
    [
        (requested(5), "data_missing", "its versions are 0 to 0"),
        (requested(0, "trains"), "data_missing", "has no rows yet"),
        (
            requested(0, features={**FEATURES, "night": FEATURES["distance"], "origin": FEATURES["night"]}),
            "schema_mismatch", "the column night is bool, and the version needs numbers",
        ),
    ],
    ids=["version", "dataset", "columns"],
)  # fmt: skip
async def test_data_that_does_not_fit_fails_before_a_row_is_sent(
    tmp_path: Path, request_: ScoringRequested, code: str, words: str
) -> None:
    fill(str(tmp_path), 10)
    stage = Stage(str(tmp_path))
    stage.jobs.request(request_)
    await stage.coordinator.tick()
    [event] = stage.jobs.events
    assert (event.state, event.code, stage.sent) == ("failed", code, [])
    assert words in event.reason
    if code == "schema_mismatch":
        assert "does not fit version 7 of delay" in event.reason
    if code == "schema_mismatch":
        assert "the column origin (bool) is missing" in event.reason


async def test_a_version_that_serving_refuses_fails_the_job_and_the_same_request_goes_on(tmp_path: Path) -> None:
    rows = fill(str(tmp_path), 120)
    stage, request = Stage(str(tmp_path)), requested(0)
    stage.jobs.request(request)
    whole = stage.message

    def refusing(value: bytes) -> dict[str, Any]:
        if len(stage.sent) < 3:
            return whole(value)
        about = ScoreRequest.of(scores.decode(value).schema).answer_metadata()
        failed = pa.RecordBatch.from_pylist(
            [], schema=pa.schema([], metadata=about | {"error": "version_refused", "message": "it is lost"})
        )
        return whole(value) | {"value.return_value": scores.encode(failed)}

    stage.message = refusing  # type: ignore[method-assign]
    await stage.coordinator.tick()
    [event] = stage.jobs.events
    assert (event.state, event.code, event.reason, event.rows) == ("failed", "version_refused", "it is lost", 100)
    stage.message = whole  # type: ignore[method-assign]
    stage.jobs.request(request)
    await stage.coordinator.tick()
    assert stage.sent == [0, 1, 2, 2]
    assert stage.jobs.events[-1].state == "done"
    check(stage.scores(request), rows)


@pytest.mark.medium
async def test_a_job_without_replicas_fails_in_the_end_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(str(tmp_path), 120)
    stage = Stage(str(tmp_path), times=0, silence=0.01)
    stage.jobs.request(requested(0))
    await stage.coordinator.tick()
    [event] = stage.jobs.events
    assert event.code == "no_answer"
    assert "see that serving runs, with RONDO_BULK_THREADS above 0" in event.reason
    assert len(stage.sent) == 10 * 3


async def test_a_storage_that_refuses_pauses_the_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = fill(str(tmp_path), 120)
    stage, request = Stage(str(tmp_path)), requested(0)
    stage.jobs.request(request)

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as context:
        context.setattr(Location, "put", full)
        with pytest.raises(UnavailableError, match="free some space"):
            await stage.coordinator.tick()
    assert stage.jobs.events == []
    await stage.coordinator.tick()
    check(stage.scores(request), rows)


async def test_a_storage_that_refuses_one_job_lets_the_next_one_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = fill(str(tmp_path), 60)
    fill(str(tmp_path), 10)
    stage, first, second = Stage(str(tmp_path)), requested(1), requested(0)
    stage.jobs.request(first)
    stage.jobs.request(second)
    put = Location.put

    def refuses(self: Location, path: str, content: bytes) -> None:
        if first.job in path:
            raise OSError(5, "Input/output error")
        put(self, path, content)

    monkeypatch.setattr(Location, "put", refuses)
    with pytest.raises(UnavailableError):
        await stage.coordinator.tick()
    await stage.coordinator.tick()
    check(stage.scores(second), rows)


async def test_a_job_whose_data_was_recreated_starts_from_the_beginning(tmp_path: Path) -> None:
    fill(str(tmp_path), 120)
    stage, request = Stage(str(tmp_path), dies_at=2), requested(0)
    stage.jobs.request(request)
    with suppress(KilledError):
        await stage.coordinator.tick()
    shutil.rmtree(tmp_path / "datasets/flights")
    rows = fill(str(tmp_path), 60)
    again = Stage(str(tmp_path), stage.jobs)
    await again.coordinator.tick()
    [event] = stage.jobs.events
    assert (event.state, event.code) == ("failed", "data_changed")
    assert "run the same command again, and it starts from the beginning" in event.reason
    stage.jobs.request(request)
    await again.coordinator.tick()
    check(again.scores(request), rows)


@pytest.mark.medium
@pytest.mark.parametrize("left", [0, 2])
async def test_fewer_rows_than_planned_are_not_committed(tmp_path: Path, left: int) -> None:
    rows = fill(str(tmp_path), 120)
    stage, request = Stage(str(tmp_path)), requested(0)
    stage.jobs.request(request)
    found = stage.jobs.written

    async def written(job: str) -> list[WrittenPart]:
        return (await found(job))[:left]

    stage.jobs.written = written  # type: ignore[method-assign]
    await stage.coordinator.tick()
    [event] = stage.jobs.events
    assert (event.state, event.code) == ("failed", "data_changed")
    assert not (tmp_path / table_of(request) / "_delta_log").exists()
    stage.jobs.written = found  # type: ignore[method-assign]
    stage.jobs.request(request)
    await stage.coordinator.tick()
    check(stage.scores(request), rows)


async def test_a_file_that_is_lost_before_the_commit_is_made_again(tmp_path: Path) -> None:
    rows = fill(str(tmp_path), 120)
    stage, request = Stage(str(tmp_path), dies_at=6), requested(0)
    stage.jobs.request(request)
    with suppress(KilledError):
        await stage.coordinator.tick()
    lost, cut = (tmp_path / table_of(request) / f"part-{number:06}.parquet" for number in (0, 1))
    lost.unlink()
    cut.write_bytes(cut.read_bytes()[:-1])
    again = Stage(str(tmp_path), stage.jobs)
    await again.coordinator.tick()
    check(again.scores(request), rows)
    assert again.sent == [0, 1]
    assert [(event.state, event.rows) for event in stage.jobs.events] == [("done", rows)]


@pytest.mark.medium
async def test_a_storage_that_loses_each_file_fails_the_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(str(tmp_path), 60)
    stage = Stage(str(tmp_path))
    stage.jobs.request(requested(0))
    monkeypatch.setattr(Location, "put", lambda *_: None)
    await stage.coordinator.tick()
    [event] = stage.jobs.events
    assert (event.state, event.code) == ("failed", "scores_lost")
    assert "see that nothing removes files of the data storage, and run the same command again" in event.reason
