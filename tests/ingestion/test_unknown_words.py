"""Ingestion handles every event of a newer release with unknown vocabulary words."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock

import pytest
from rondo.contracts.events.access import TokenChanged
from rondo.contracts.events.cloudevents import Envelope
from rondo.contracts.events.datasets import DatasetApplied, DatasetRemoved
from rondo.contracts.events.models import ModelRemoved, SpecApplied
from rondo.contracts.events.scoring import ScoringRequested
from rondo.contracts.topics import CONTROL_PLANE
from rondo.ingestion import handlers
from rondo.ingestion.delta.location import Location
from rondo.ingestion.errors import ScoringFailedError
from rondo.ingestion.scoring.delta_scores import DeltaScores
from rondo.ingestion.scoring.jobs import ScoringJob, ended
from rondo.ingestion.spec_cache import SpecCache
from rondo.ingestion.validation.contract import NoContractError

from tests.ingestion.scoring.memory_jobs import MemoryJobs, MemoryRequests
from tests.ingestion.scoring.stage import Stage, check, fill, requested
from tests.support.unknown_words import WORD, example_of, with_unknown_words

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from rondo.contracts.events.base import Event

    Handler = Callable[[Any, Any], Awaitable[None]]

SPECS: dict[type[Event], Handler] = {
    SpecApplied: handlers.on_spec_applied,
    ModelRemoved: handlers.on_model_removed,
    DatasetApplied: handlers.on_dataset_applied,
    DatasetRemoved: handlers.on_dataset_removed,
}


def test_these_are_the_events_that_ingestion_reads() -> None:
    # The chassis reads the tokens, for every service alike.
    read = {topic.event for topic in CONTROL_PLANE if "ingestion" in topic.readers} - {TokenChanged}
    assert read == SPECS.keys() | handlers.event_handlers(Mock()).keys()


@pytest.mark.parametrize("event", SPECS, ids=lambda event: event.__name__)
async def test_no_handler_of_specs_fails_on_unknown_words(event: type[Event]) -> None:
    future = with_unknown_words(event)
    await SPECS[event](Envelope("e", "tests", datetime.now(UTC), future), SpecCache())


@pytest.mark.parametrize("event", handlers.event_handlers(Mock()), ids=lambda event: event.__name__)
async def test_no_handler_fails_on_unknown_words(event: type[Event], tmp_path: Path) -> None:
    jobs = MemoryJobs()
    handle = handlers.event_handlers(DeltaScores(Location(str(tmp_path))))[event]
    await handle(Envelope("e", "tests", datetime.now(UTC), with_unknown_words(event)), MemoryRequests(jobs))
    assert [job.state for job in jobs.requests.values()] == ["queued"]


async def test_a_job_for_a_model_with_an_unknown_task_is_run(tmp_path: Path) -> None:
    rows = fill(str(tmp_path), 60)
    stage, request = Stage(str(tmp_path)), requested(0, task=WORD)
    stage.jobs.request(request)
    await stage.coordinator.tick()
    check(stage.scores(request), rows)


async def test_a_job_for_a_version_with_an_unknown_type_fails_and_names_it(tmp_path: Path) -> None:
    fill(str(tmp_path), 10)
    features = with_unknown_words(ScoringRequested).features
    stage, request = Stage(str(tmp_path)), requested(0, features=features)
    stage.jobs.request(request)
    await stage.coordinator.tick()
    [event] = stage.jobs.events
    assert (event.state, event.code, stage.sent) == ("failed", "schema_mismatch", [])
    assert all(f"{name} has the type {WORD!r}" in event.reason for name in features)


def test_a_code_of_a_newer_serving_is_that_of_the_job() -> None:
    job, error = ScoringJob(requested(0), "running"), ScoringFailedError(WORD, "why")
    event = ended(job.request, job, datetime.now(UTC), error=error)
    assert (event.state, event.code, event.reason) == ("failed", WORD, "why")


async def cached(applied: SpecApplied) -> SpecCache:
    specs = SpecCache()
    await handlers.on_spec_applied(Envelope("e", "tests", datetime.now(UTC), applied), specs)
    return specs


async def test_a_spec_with_unknown_words_and_a_known_task_and_known_types_gives_a_contract() -> None:
    future, today = with_unknown_words(SpecApplied), SpecApplied.model_validate(example_of(SpecApplied))
    known = {"task": "regression", "features": today.spec.features}
    applied = future.model_copy(update={"spec": future.spec.model_copy(update=known)})
    specs = await cached(applied)
    contract = specs.contract(applied.spec.data.dataset)
    assert set(applied.spec.features) <= {column.name for column in contract.columns}
    assert (applied.spec.data.unknown_columns, contract.unknown_columns) == (WORD, "report")


async def test_without_its_task_there_is_no_contract_and_the_reason_names_the_task() -> None:
    applied = with_unknown_words(SpecApplied)
    specs = await cached(applied)
    with pytest.raises(NoContractError, match=WORD):
        specs.contract(applied.spec.data.dataset)


async def test_without_the_types_of_its_features_a_model_gives_no_contract() -> None:
    future = with_unknown_words(SpecApplied)
    applied = future.model_copy(update={"spec": future.spec.model_copy(update={"task": "regression"})})
    specs = await cached(applied)
    with pytest.raises(NoContractError, match=WORD):
        specs.contract(applied.spec.data.dataset)


async def test_without_the_types_of_its_columns_a_dataset_has_no_contract() -> None:
    specs, applied = SpecCache(), with_unknown_words(DatasetApplied)
    await handlers.on_dataset_applied(Envelope("e", "tests", datetime.now(UTC), applied), specs)
    with pytest.raises(NoContractError, match=WORD):
        specs.contract(applied.spec.dataset)
