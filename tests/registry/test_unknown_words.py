"""The registry handles every event of a newer release with unknown vocabulary words."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from rondo.contracts.events.deployment import ReplicaChanged
from rondo.contracts.events.training import ModelTrained, TrainingFailed, TrainingSkipped, TrainingStarted
from rondo.contracts.tasks.base import FittedTask
from rondo.contracts.training_evidence import Evidence
from rondo.registry import handlers

from tests.registry.fakes import FakeStore
from tests.registry.scenarios import FakeArtifacts, apply, handle, runs_of, states
from tests.support.evidence import stored
from tests.support.unknown_words import WORD, with_unknown_words

if TYPE_CHECKING:
    from rondo.contracts.events.base import Event
    from rondo.contracts.spec.model import ModelSpec

    from tests.registry.scenarios import Backend

Make = Callable[..., Any]


def future(event: type[Event], spec: ModelSpec, trained: Make) -> Event:
    """Return an event of a newer release about the model of the spec, and a candidate with evidence of that release."""
    if event is not ModelTrained:
        return with_unknown_words(event, model=spec.model)
    good = trained("run-1")
    evidence = with_unknown_words(Evidence, comparisons=(), champion=None, champion_version=None)
    profile = evidence.profile.model_copy(update={"task": FittedTask(task=spec.task)})
    known_task = evidence.model_copy(update={"profile": profile})
    newer = with_unknown_words(ModelTrained, model=spec.model, digest=good.digest, size=good.size)
    summary = newer.summary.model_copy(update={"spec_digest": spec.digest})
    return newer.model_copy(update={"summary": summary, "evidence": stored(known_task)})


@pytest.mark.medium
@pytest.mark.parametrize("event", handlers.event_handlers(FakeArtifacts()), ids=lambda event: event.__name__)
async def test_no_handler_fails_on_unknown_words(event: type[Event], spec: ModelSpec, trained: Make) -> None:
    store = FakeStore()
    await apply(store, spec)
    await handle(store, future(event, spec, trained), "e1")
    if event is ModelTrained:
        assert await states(store) == {1: "champion"}, "profiles of an unknown kind are no reason to reject it"


@pytest.mark.medium
async def test_a_candidate_of_an_unknown_task_is_rejected(spec: ModelSpec, trained: Make) -> None:
    store = FakeStore()
    await apply(store, spec)
    event = trained("run-1").model_copy(update={"evidence": stored(with_unknown_words(Evidence))})
    await handle(store, event, "t1")
    assert await states(store) == {1: "rejected"}


async def test_runs_keep_the_unknown_words(store: Backend, spec: ModelSpec) -> None:
    await apply(store, spec)
    events = (
        with_unknown_words(TrainingStarted, model="late", run_id="a"),
        with_unknown_words(TrainingFailed, model="late", run_id="b"),
        with_unknown_words(TrainingSkipped, model="late", run_id="c"),
    )
    for event in events:
        await handle(store, event, event.run_id or "")
    runs = {run.run_id: (run.state, run.trigger.kind) for run in await runs_of(store, "late")}
    assert runs == {"a": ("running", WORD), "b": ("failed", WORD), "c": ("skipped", WORD)}


async def test_a_candidate_of_an_unknown_trigger_is_promoted(store: Backend, spec: ModelSpec, trained: Make) -> None:
    await apply(store, spec)
    await handle(store, trained("run-1", kind=WORD), "t1")
    assert await states(store) == {1: "champion"}


async def test_an_unknown_replica_state_neither_serves_nor_refuses(
    store: Backend, spec: ModelSpec, trained: Make
) -> None:
    await apply(store, spec)
    await handle(store, trained("run-1"), "t1")
    await handle(store, with_unknown_words(ReplicaChanged, model="late", model_version=1, revision=1), "r1")
    assert (await states(store), await store.replica_reports("late")) == ({1: "champion"}, ())
