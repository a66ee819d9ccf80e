"""The state of a model that the queue stores between trainings: the record, the growth, and the new labels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from rondo.contracts.events.models import ModelRemoved
from rondo.trainer.adaptation.record import ChunkScore
from rondo.trainer.adaptation.training_window import (
    AdaptationState,
    LabelledRows,
    ScoredChunk,
    Unconfirmed,
    choose_leader,
    plan_comparison,
)
from rondo.trainer.run import Ended, Labels, LastTraining, Run, Training
from rondo.trainer.worker.skipped_runs import not_grown

from tests.trainer import builders
from tests.trainer.worker.queues import Backend, claimed, enqueue, failed, skipped, started

CHUNK = ScoredChunk(1_000, 2_000, {"since": ChunkScore(90, 0.25, (0.2, 0.3)), "all": ChunkScore(90, 0.5, (0.4, 0.6))})


STATE = AdaptationState(1_000, 5_000, "all", (CHUNK,), Unconfirmed(6_000, rows=1_300))


KNOWN = Training(1_200, 1_080, builders.START, STATE, growth=0.2, gain=0.01, basis="a", loss=0.3)


@pytest.mark.parametrize(("kind", "unfitted", "waits"), [("performance", 399, True), ("performance", 400, False),
                                                         ("suspicion", 19_999, True)])  # fmt: skip
def test_a_run_after_a_certain_drop_needs_no_chunk(kind: str, unfitted: int, *, waits: bool) -> None:
    drop = builders.trigger(kind).model_copy(update={"loss_rise": 0.05})
    run = Run("run-1", drop, builders.spec(retrain={"policy": "auto", "on": []}), 1, "worker", builders.START)
    known = replace(KNOWN, state=AdaptationState(400_000))
    assert (not_grown(run, unfitted, known) is not None) == waits


async def labels(backend: Backend, add: int = 0) -> Labels:
    """Count labelled rows that an event reported, and return the stored labels."""
    async for work in backend.work():
        await work.count_labels("flight-delay", add)
        found = (await work.history("flight-delay")).labels
    return found


async def test_what_a_training_made_known_is_kept_with_the_labels_that_came_since(backend: Backend) -> None:
    queue = backend.queue()
    assert await queue.training("flight-delay") is None
    await labels(backend, add=70)
    await enqueue(backend)
    run = await claimed(queue)
    # They arrive while the rows are being fitted to.
    assert await labels(backend, add=5) == Labels(75)
    assert await queue.finish(run, Ended(builders.trained(run), KNOWN))
    assert await queue.training("flight-delay") == KNOWN
    assert await labels(backend) == Labels(5, 1_000, 1_080, 0.2, 0.01, "a", builders.START, again=100, loss=0.3)
    await enqueue(backend, "run-2")
    run = await claimed(queue)
    later = replace(KNOWN, rows=1_300, state=AdaptationState(1_000))
    assert await queue.finish(run, Ended(builders.trained(run), later))
    assert await queue.training("flight-delay") == later


async def test_the_record_keeps_every_chunk_of_rows_with_one_event_time(backend: Backend) -> None:
    days = np.repeat(np.arange(20), 500) * 86_400_000_000
    rows, state = LabelledRows(days, 0, features=3, fades=True), AdaptationState(1_000)
    planned = plan_comparison(rows, state, fitted_until=int(days[-501]))
    scored = {each.name: np.linspace(0.1, 0.3, 500) for each in planned.strategies}
    known = replace(KNOWN, state=choose_leader(rows, state, planned, scored).state)
    assert len(known.state.record) == 5
    assert {each.since for each in known.state.record} == {int(days[-1])}
    queue = backend.queue()
    await enqueue(backend)
    run = await claimed(queue)
    assert await queue.finish(run, Ended(builders.trained(run), known))
    assert await queue.training("flight-delay") == known


@pytest.mark.parametrize(("unfitted", "new"), [(30, 40), (0, 10), (None, 210)])
async def test_a_run_that_finds_fewer_new_rows_than_were_counted_corrects_the_count(
    backend: Backend, unfitted: int | None, new: int
) -> None:
    queue = backend.queue()
    await enqueue(backend)
    run = await claimed(queue)
    assert await queue.finish(run, Ended(builders.trained(run), KNOWN))
    await labels(backend, add=200)
    await enqueue(backend, "run-2")
    run = await claimed(queue)
    await labels(backend, add=10)
    assert await queue.finish(run, Ended(skipped(run), unfitted=unfitted))
    assert (await labels(backend)).new == new
    assert await queue.training("flight-delay") == KNOWN


async def test_a_removal_deletes_what_was_known_and_a_run_before_it_makes_nothing_known(backend: Backend) -> None:
    queue, removed = backend.queue(), ModelRemoved(model="flight-delay", revision=2, decided_by="ana")
    async for work in backend.work():
        await work.save_spec(builders.spec_applied(builders.spec(), 1))
    await enqueue(backend)
    run = await claimed(queue)
    assert await queue.finish(run, Ended(builders.trained(run), KNOWN))
    await enqueue(backend, "run-2")
    run = await claimed(queue)
    async for work in backend.work():
        await work.remove_spec(removed)
    assert await queue.training("flight-delay") is None
    assert await queue.finish(run, Ended(builders.trained(run), KNOWN))
    assert await queue.training("flight-delay") is None
    assert (await labels(backend)).fitted == 0
    # Of a model that was applied again it is kept, if the removal arrives late.
    async for work in backend.work():
        await work.save_spec(builders.spec_applied(builders.spec(), 3))
    await enqueue(backend, "run-3")
    run = await claimed(queue)
    assert await queue.finish(run, Ended(builders.trained(run), KNOWN))
    async for work in backend.work():
        await work.remove_spec(removed)
    assert await queue.training("flight-delay") == KNOWN


async def test_the_last_training_is_that_of_the_last_run_that_trained(backend: Backend) -> None:
    queue = backend.queue()
    assert await queue.last_training("flight-delay") is None
    # The last one is a registration: no training.
    ends = (("run-1", builders.trained), ("run-2", builders.trained), ("run-3", failed), ("run-4", builders.trained))
    for name, result in ends:
        await enqueue(backend, name, kind="registration" if name == "run-4" else "drift")
        run = await claimed(queue)
        await queue.begin(run, started(run), f"sha256:{name}", None)
        assert await queue.finish(run, Ended(result(run)))
    assert await queue.last_training("flight-delay") == LastTraining("run-2", run.spec.digest, "sha256:run-2")
    assert await queue.last_training("other") is None
    async for work in backend.work():
        await work.remove_spec(ModelRemoved(model="flight-delay", revision=2, decided_by="ana"))
    assert await queue.last_training("flight-delay") is None, "a spec that is applied afterwards makes a new model"


async def test_the_code_of_the_function_that_trained_is_kept(backend: Backend) -> None:
    queue = backend.queue()
    await enqueue(backend)
    run = await claimed(queue)
    await queue.begin(run, started(run), "sha256:rows", "sha256:code")
    assert await queue.finish(run, Ended(builders.trained(run)))
    assert await queue.last_training("flight-delay") == LastTraining(
        "run-1", run.spec.digest, "sha256:rows", "sha256:code"
    )
