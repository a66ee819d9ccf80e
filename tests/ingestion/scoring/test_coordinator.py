"""A job on real tables, with the scoring of serving between: once through crashes, and refused before it runs."""

from __future__ import annotations

import asyncio
import io
import shutil
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock, patch

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rondo.chassis.errors import UnavailableError
from rondo.contracts.events import scores
from rondo.contracts.events.scores import ScoreRequest
from rondo.contracts.events.scoring import ScoringRequested, job_id
from rondo.contracts.spec.model import Feature
from rondo.ingestion.delta.location import Location
from rondo.ingestion.delta.tables import DeltaTables
from rondo.ingestion.errors import ScoringFailedError
from rondo.ingestion.scoring import coordinator, plan
from rondo.ingestion.scoring.answers import Answers
from rondo.ingestion.scoring.coordinator import Coordinator
from rondo.ingestion.scoring.delta_scores import DeltaScores
from rondo.ingestion.scoring.delta_source import DeltaSource
from rondo.ingestion.scoring.jobs import table_of
from rondo.serving.bulk.answers import answer

from tests.ingestion.scoring.memory_jobs import MemoryJobs
from tests.serving.builders import FEATURES, build_model, version_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rondo.ingestion.scoring.delta_scores import WrittenPart
    from rondo.ingestion.scoring.plan import Part

VERSION = version_of("delay", 7, build_model(2.0), FEATURES)
AT = datetime(2013, 1, 1, tzinfo=UTC)


class KilledError(Exception):
    """The process dies here."""


def fill(root: str, *batches: int) -> int:
    """Write batches of so many rows; return the number of rows."""
    tables, first = DeltaTables(root), 0
    for number, rows in enumerate(batches):
        tables.append("datasets/flights", data(first, rows), {f"batch/{number}": 1}, {})
        first += rows
    return first


def data(first: int, rows: int) -> pa.Table:
    numbers = list(range(first, first + rows))
    return pa.table(
        {
            "flight": [f"f{number}" for number in numbers],
            "scheduled": pa.array([AT + timedelta(minutes=n) for n in numbers], pa.timestamp("us", "UTC")),
            # Each seventh row lacks what it may not lack.
            "distance": pa.array([None if number % 7 == 3 else float(number) for number in numbers], pa.float64()),
            "night": [number % 2 == 0 for number in numbers],
            "carrier": [("AA", "UA", None)[number % 3] for number in numbers],
            "delayed": [0.0] * rows,
        }
    )


def requested(data_version: int, dataset: str = "flights", **more: Any) -> ScoringRequested:
    job = job_id("delay", 7, VERSION.digest, dataset, data_version)
    return ScoringRequested(
        model="delay", job=job, model_version=7, digest=VERSION.digest, features=FEATURES, entity="flight",
        event_time="scheduled", dataset=dataset, data_version=data_version, requested_by="ada", at=AT,
    ).model_copy(update=more)  # fmt: skip


@dataclass
class Stage:
    """Ingestion around a job, and replicas that answer at once.

    The process dies at the `dies_at`th call of Kafka or of the store of jobs; each part is answered `times` times.
    """

    root: str
    jobs: MemoryJobs = field(default_factory=MemoryJobs)
    times: int = 1
    dies_at: int = -1
    silence: float = 30.0
    sent: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        location = Location(self.root)
        self.coordinator = Coordinator(
            DeltaSource(location), DeltaScores(location), self.jobs, self.send, lambda: AT, self.silence
        )
        self.answers = Answers(self.jobs, DeltaScores(location), self.coordinator)

    async def send(self, value: bytes, key: str) -> None:
        self._live()
        request = ScoreRequest.of(scores.decode(value).schema)
        assert key == request.key
        self.sent.append(request.part)
        for _ in range(self.times):
            await self.answers.advance([Mock(**self.message(value))])
        self._live()

    def message(self, value: bytes) -> dict[str, Any]:
        batch = scores.decode(value)
        made = scores.encode(answer(VERSION, batch, ScoreRequest.of(batch.schema), datetime.now(UTC)))
        calls = {"value": made, "topic": scores.SCORES_MADE, "partition": 0, "offset": len(self.sent)}
        return {f"{name}.return_value": result for name, result in calls.items()}

    def _live(self) -> None:
        self.dies_at -= 1
        if self.dies_at == 0:
            raise KilledError

    def scores(self, request: ScoringRequested) -> list[dict[str, Any]]:
        table = DeltaTable(f"{self.root}/{table_of(request)}")
        assert table.version() == 0
        assert table.transaction_version(f"scoring/{request.job}") == 1
        return sorted(table.to_pyarrow_table().to_pylist(), key=lambda row: str(row["entity"]))


def check(found: list[dict[str, Any]], rows: int) -> None:
    assert sorted(row["row"] for row in found) == list(range(rows))
    assert sorted(row["entity"] for row in found) == sorted(f"f{number}" for number in range(rows))
    for row in found:
        number = int(row["entity"][1:])
        assert row["event_time"] == AT + timedelta(minutes=number)
        assert (row["model_version"], row["digest"]) == (7, VERSION.digest)
        if number % 7 == 3:
            assert (row["error"], row["score"], row["label"]) == ("missing_feature", None, None)
        else:
            assert (row["error"], row["score"]) == (None, 2.0 * number)


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan.divide, "__defaults__", (50, plan.TARGET_BYTES))


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


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.integers(1, 12), max_size=6), st.integers(1, 2))
@pytest.mark.medium
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


@pytest.mark.medium
@pytest.mark.parametrize("planned", [False, True], ids=["at the plan", "between two parts"])
@pytest.mark.parametrize("damage", ["cut", "garbage", "empty", "missing", "flipped", "shorter"])
async def test_data_that_can_not_be_read_fails_its_job_and_no_other(
    tmp_path: Path,
    damage: str,
    planned: bool,  # noqa: FBT001
) -> None:
    stage, request = Stage(str(tmp_path)), requested(0)
    rows = fill(str(tmp_path), 3_000)
    stage.jobs.request(request)
    if planned:
        await stage.jobs.save_plan(request.job, stage.coordinator.source.parts(request))
    [file] = (tmp_path / "datasets/flights").glob("*.parquet")
    whole = file.read_bytes()
    file.unlink()
    flipped = bytes(0xFF ^ byte if place % 7 == 0 else byte for place, byte in enumerate(whole[: len(whole) // 2]))
    shorter = io.BytesIO()
    pq.write_table(data(0, 10), shorter)
    contents = {
        "cut": whole[: len(whole) // 2], "garbage": b"x" * len(whole), "empty": b"", "shorter": shorter.getvalue(),
        "flipped": whole[:4] + flipped[4:] + whole[len(flipped) :],
    }  # fmt: skip
    if damage != "missing":
        file.write_bytes(contents[damage])
    await stage.coordinator.tick()
    [event] = stage.jobs.events
    assert (event.state, event.code) == ("failed", "data_unreadable")
    assert "restore its files and run the same command again, or score another version" in event.reason
    file.write_bytes(whole)
    stage.jobs.request(request)
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


async def test_an_answer_that_arrives_while_its_part_is_sent_again_ends_the_wait(tmp_path: Path) -> None:
    """Before, the part was waited for until `silence`, which is longer than the test may take."""
    rows = fill(str(tmp_path), 120)
    stage, request = Stage(str(tmp_path), silence=3600), requested(0)
    stage.jobs.request(request)
    source, early = stage.coordinator.source, [True]

    async def send(value: bytes, key: str) -> None:
        if early and early.pop():
            # That of a process before: it comes after the look for parts without scores, and before the part is sent.
            [(_, sent)] = source.read(request, (await stage.jobs.remaining(request.job))[1:2])
            await stage.answers.advance([Mock(**stage.message(scores.encode(sent)))])
        await stage.send(value, key)

    stage.coordinator.send = send
    async with asyncio.timeout(30):
        await stage.coordinator.tick()
    check(stage.scores(request), rows)


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


async def test_a_late_answer_to_a_failed_attempt_does_not_fail_the_next_one(tmp_path: Path) -> None:
    rows = fill(str(tmp_path), 120)
    stage, request = Stage(str(tmp_path)), requested(0)
    stage.jobs.request(request)
    whole, values = stage.message, list[bytes]()

    def refused(value: bytes) -> dict[str, Any]:
        values.append(value)
        about = ScoreRequest.of(scores.decode(value).schema).answer_metadata()
        failed = pa.schema([], metadata=about | {"error": "version_refused", "message": "it is lost"})
        return whole(value) | {"value.return_value": scores.encode(pa.RecordBatch.from_pylist([], schema=failed))}

    stage.message = refused  # type: ignore[method-assign]
    await stage.coordinator.tick()
    late = Mock(**refused(values[0]))

    async def send(value: bytes, key: str) -> None:
        assert ScoreRequest.of(scores.decode(value).schema).attempt == "2"
        await stage.answers.advance([late])
        await stage.send(value, key)

    stage.message, stage.coordinator.send = whole, send  # type: ignore[method-assign]
    stage.jobs.request(request)
    await stage.coordinator.tick()
    assert [event.state for event in stage.jobs.events] == ["failed", "done"]
    check(stage.scores(request), rows)


async def test_a_job_whose_data_was_made_anew_begins_anew(tmp_path: Path) -> None:
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
    assert "run the same command again, and it begins anew" in event.reason
    stage.jobs.request(request)
    await again.coordinator.tick()
    check(again.scores(request), rows)


@pytest.mark.parametrize("lost_at", ["plan", "answer", "commit"])
async def test_a_process_notices_that_its_lock_is_lost_while_it_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lost_at: str
) -> None:
    """A check each few seconds also keeps the lock, which a session that is not used loses."""
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
    """Another process runs the job by then, and these parts are its plan."""
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


async def test_rows_that_are_too_long_for_a_message_name_their_column(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(str(tmp_path), 120)
    stage, request = Stage(str(tmp_path)), requested(0)
    stage.jobs.request(request)
    with monkeypatch.context() as context:
        context.setattr(scores, "MAX_MESSAGE_BYTES", 2_000)
        await stage.coordinator.tick()
    [event] = stage.jobs.events
    assert (event.state, event.code) == ("failed", "part_too_large")
    assert "shorten the values of event_time, which has most of them" in event.reason
    assert not await stage.jobs.planned(request.job)


async def test_texts_that_expand_beyond_what_serving_takes_fail_the_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(str(tmp_path), 120)
    stage, request = Stage(str(tmp_path)), requested(0)
    stage.jobs.request(request)
    with monkeypatch.context() as patch:
        patch.setattr(scores, "MAX_TEXT_BYTES", 1)
        await stage.coordinator.tick()
    [event] = stage.jobs.events
    assert (event.state, event.code) == ("failed", "part_too_large")


async def test_rows_without_any_column_of_the_version_are_scored(tmp_path: Path) -> None:
    fill(str(tmp_path), 120)
    features = {"origin": Feature(type="category", optional=True), "wind": Feature(type="float", optional=True)}
    request = requested(0, features=features, entity="none", event_time="never")
    source = DeltaSource(Location(str(tmp_path)))
    sent = [
        ScoreRequest.of(rows.schema).first_row + len(rows) for _, rows in source.read(request, source.parts(request))
    ]
    assert sent == [50, 100, 120]


def changed(value: bytes, how: str) -> bytes:
    """Return an answer that is not one to its part."""
    rows = scores.decode(value)
    about: dict[bytes, bytes] = dict(rows.schema.metadata)
    match how:
        case "no metadata":
            about = {}
        case "fewer rows":
            rows = rows.slice(0, 3)
        case "other rows":
            rows = rows.set_column(0, "row", pa.array(range(1, len(rows) + 1)))
        case "no errors":
            rows = rows.drop_columns(["error"])
        case "a struct":
            rows = rows.append_column("more", pa.array([{"a": 1}] * len(rows)))
        case _:
            name, _, text = how.partition("=")
            about = (
                about | {name.encode(): text.encode()}
                if text
                else {k: v for k, v in about.items() if k != name.encode()}
            )
    return scores.encode(rows.replace_schema_metadata(about))


@pytest.mark.medium
@pytest.mark.parametrize(
    "how",
    ["no metadata", "fewer rows", "other rows", "no errors", "a struct", "model_version", "model_version=8",
     "digest=sha256:" + "0" * 64, "digest=x", "first_row=1", "part=-1", "part=2147483648", "part=x", "job=\0",
     "job=other", "nothing"],
)  # fmt: skip
async def test_what_is_no_answer_to_a_part_is_skipped(tmp_path: Path, how: str) -> None:
    rows = fill(str(tmp_path), 60)
    stage, request = Stage(str(tmp_path), silence=0.1), requested(0)
    stage.jobs.request(request)
    whole, skipped = stage.message, 0

    def once(value: bytes) -> dict[str, Any]:
        nonlocal skipped
        made = whole(value)
        if len(stage.sent) > 1:
            return made
        skipped += 1
        return made | {"value.return_value": changed(made["value.return_value"], how)}

    stage.message = once  # type: ignore[method-assign]
    await stage.coordinator.tick()
    check(stage.scores(request), rows)
    assert (stage.sent, skipped) == ([0, 1, 0] if how != "nothing" else [0, 1], 1)
    assert stage.jobs.read == {0: 4 if how != "nothing" else 3}


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


async def test_a_storage_that_loses_each_file_fails_the_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(str(tmp_path), 60)
    stage = Stage(str(tmp_path))
    stage.jobs.request(requested(0))
    monkeypatch.setattr(Location, "put", lambda *_: None)
    await stage.coordinator.tick()
    [event] = stage.jobs.events
    assert (event.state, event.code) == ("failed", "scores_lost")
    assert "see that nothing removes files of the data storage, and run the same command again" in event.reason


def test_parts_of_any_choice_are_read_as_they_lie_in_the_files(tmp_path: Path) -> None:
    fill(str(tmp_path), 333, 120)
    source, request = DeltaSource(Location(str(tmp_path))), requested(1)
    parts = source.parts(request)

    def entities(chosen: list[Part]) -> dict[int, list[str]]:
        return {part.number: rows.column("entity").to_pylist() for part, rows in source.read(request, chosen)}

    whole = entities(parts)
    assert sum(map(len, whole.values())) == 453
    for chosen in (parts[1::2], parts[5:6], parts[::-1]):
        assert entities(chosen) == {part.number: whole[part.number] for part in chosen}
    assert [len(whole[part.number]) for part in parts] == [part.rows for part in parts]
