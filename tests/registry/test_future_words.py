"""The registry handles every event of a newer release with unknown vocabulary words."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from rondo.contracts.events.deployment import ReplicaChanged
from rondo.contracts.events.training import TrainingFailed, TrainingSkipped, TrainingStarted

from tests.registry.scenarios import apply, handle, runs_of, states
from tests.support.future_words import WORD, from_the_future

if TYPE_CHECKING:
    from rondo.contracts.spec.model import ModelSpec

    from tests.registry.scenarios import Backend

Make = Callable[..., Any]


async def test_runs_keep_the_unknown_words(store: Backend, spec: ModelSpec) -> None:
    await apply(store, spec)
    events = (
        from_the_future(TrainingStarted, model="late", run_id="a"),
        from_the_future(TrainingFailed, model="late", run_id="b"),
        from_the_future(TrainingSkipped, model="late", run_id="c"),
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
    await handle(store, from_the_future(ReplicaChanged, model="late", model_version=1, revision=1), "r1")
    assert (await states(store), await store.replica_reports("late")) == ({1: "champion"}, ())
