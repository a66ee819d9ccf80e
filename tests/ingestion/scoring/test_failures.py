"""A job that fails because of its data, its table or a bug ends with a reason, and the next job runs."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from deltalake.exceptions import DeltaError
from rondo.contracts.events.cloudevents import Envelope
from rondo.contracts.events.scores import InvalidScoreRequestError, ScoreRequestTooLargeError
from rondo.contracts.vocabularies import ScoringFailure, known
from rondo.ingestion.handlers import on_scoring_requested
from rondo.ingestion.scoring.delta_scores import DeltaScores
from rondo.ingestion.scoring.delta_source import DeltaSource
from rondo.ingestion.scoring.jobs import table_of
from rondo.serving.errors import VersionRefusedError

from tests.ingestion.delta.damages import DAMAGES, damaged, log_of
from tests.ingestion.scoring.memory_jobs import MemoryRequests
from tests.ingestion.scoring.stage import Stage, check, fill, requested

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("small_parts")


@pytest.mark.sampled(2)
@pytest.mark.medium
@pytest.mark.parametrize("place", [0, 2])
@pytest.mark.parametrize("how", [each for each in DAMAGES if each != "missing"])
async def test_a_damaged_log_of_the_data_fails_the_job_alone(tmp_path: Path, how: str, place: int) -> None:
    stage = Stage(str(tmp_path))
    rows = fill(str(tmp_path), 60, 60, 60)
    stage.jobs.request(requested(2))
    with damaged(log_of(tmp_path / "datasets/flights")[place], how):
        await stage.coordinator.tick()
    assert [(event.state, event.code) for event in stage.jobs.events] == [("failed", "data_unreadable")]
    stage.jobs.request(requested(2))
    await stage.coordinator.tick()
    check(stage.scores(requested(2)), rows)


@pytest.mark.medium
@pytest.mark.parametrize("how", [each for each in DAMAGES if each != "missing"])
async def test_a_damaged_log_of_the_scores_fails_the_job_which_then_goes_on_without_it(
    tmp_path: Path, how: str
) -> None:
    stage, request = Stage(str(tmp_path)), requested(0)
    rows = fill(str(tmp_path), 120)
    stage.jobs.request(request)
    await stage.coordinator.tick()
    [file], sent = log_of(tmp_path / table_of(request)), list(stage.sent)
    DAMAGES[how](file)
    envelope = Envelope("e", "tests", datetime.now(UTC), request)
    await on_scoring_requested(envelope, MemoryRequests(stage.jobs), stage.coordinator.tables)
    await stage.coordinator.tick()
    assert [(event.state, event.code) for event in stage.jobs.events[1:]] == [("failed", "scores_damaged")]
    assert stage.jobs.events[1].reason.endswith(
        "restore it, or remove it, and run the same command again: the scores themselves are kept"
    )
    file.unlink()
    stage.jobs.request(request)
    await stage.coordinator.tick()
    check(stage.scores(request), rows)
    assert stage.sent == sent, "no row is scored again"


@pytest.mark.medium
@pytest.mark.parametrize("error", [DeltaError("no"), pl.exceptions.PanicException("index"), KeyError("rondo.digest")])
async def test_an_unexpected_error_fails_the_job_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    stage = Stage(str(tmp_path))
    fill(str(tmp_path), 60, 60)
    for version in (0, 1):
        stage.jobs.request(requested(version))
    parts = DeltaSource.parts

    def failing(source: DeltaSource, request: Any) -> Any:
        if request.data_version == 0:
            raise error
        return parts(source, request)

    monkeypatch.setattr(DeltaSource, "parts", failing)
    for _ in range(2):
        await stage.coordinator.tick()
    assert [(event.data_version, event.state, event.code) for event in stage.jobs.events] == [
        (0, "failed", "internal_error"), (1, "done", ""),
    ]  # fmt: skip
    advice = "the log of ingestion has the details; the same command again resumes the job"
    assert stage.jobs.events[0].reason.endswith(advice)


async def test_an_answer_that_can_not_be_saved_fails_its_job_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage, request = Stage(str(tmp_path), silence=0.001), requested(0)
    fill(str(tmp_path), 60)
    stage.jobs.request(request)
    whole = stage.send

    async def send(value: bytes, key: str) -> None:
        with suppress(ZeroDivisionError):  # a follower skips the answer, and the job would wait for it
            await whole(value, key)

    def failing(*_: Any) -> Any:
        raise ZeroDivisionError("of the file")

    monkeypatch.setattr(DeltaScores, "write", failing)
    stage.coordinator.send = send
    await stage.coordinator.tick()
    [event] = stage.jobs.events
    assert (event.state, event.code) == ("failed", "internal_error")
    assert "ZeroDivisionError: of the file" in event.reason
    assert stage.sent == [0]


def test_the_codes_with_which_serving_refuses_a_part_are_known() -> None:
    errors = (VersionRefusedError, InvalidScoreRequestError, ScoreRequestTooLargeError)
    assert {each.code for each in errors} <= set(known(ScoringFailure))
