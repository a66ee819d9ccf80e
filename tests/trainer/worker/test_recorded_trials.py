"""The trials of a search that the queue records: the next attempt continues with them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from rondo.contracts.events.training import TrainingProgressed
from rondo.trainer.run import RecordedTrials, Trial

from tests.trainer.worker.queues import Backend, claimed, enqueue

if TYPE_CHECKING:
    from rondo.trainer.ports import RunQueue


def trial(number: int, *values: float | None, **other: Any) -> Trial:
    return Trial(number, {"num_leaves": 7 + number, "layers": (8, 8)}, "search", values, **other)


def progressed(run: Any, ended: Trial) -> TrainingProgressed:
    return TrainingProgressed(
        model=run.model, run_id=run.id, trigger=run.trigger, trials=ended.number + 1, planned=9, metric="roc_auc"
    )


async def record(queue: RunQueue, run: Any, ended: Trial, rows: str = "sha256:rows") -> bool:
    """Begin and end a trial."""
    return await queue.begin_trial(run, rows, ended) and await queue.end_trial(run, ended, progressed(run, ended))


async def test_the_next_attempt_has_the_trials_of_the_one_before(backend: Backend) -> None:
    await enqueue(backend)
    first, second = backend.queue("one", timedelta(0)), backend.queue("two")
    run = await claimed(first)
    ended = (
        trial(0, 0.7, None, seconds=1.5),
        trial(1, 0.6, state="pruned", seconds=0.5),
        trial(2, state="failed", detail="no memory"),
    )
    assert [await record(first, run, each) for each in ended] == [True] * 3
    assert await first.begin_trial(run, "sha256:rows", trial(3))
    again = await claimed(second)
    assert await second.trials(again, "sha256:rows") == RecordedTrials(ended)
    assert await backend.ids("training.progressed") == [f"run-1.trial.{n}" for n in range(3)]


async def test_a_trial_that_began_twice_and_never_ended_is_lost(backend: Backend) -> None:
    await enqueue(backend)
    queue, third = backend.queue("one", timedelta(0)), trial(0)
    for _ in range(2):
        run = await claimed(queue)
        assert await queue.begin_trial(run, "sha256:rows", third)
    found = await queue.trials(await claimed(queue), "sha256:rows")
    assert found.ended == ()
    assert found.lost is not None
    assert (found.lost.number, found.lost.params, found.lost.origin) == (0, third.params, "search")


async def test_trials_on_other_rows_are_deleted(backend: Backend) -> None:
    await enqueue(backend)
    queue = backend.queue()
    run = await claimed(queue)
    await record(queue, run, trial(0, 0.7))
    assert await queue.trials(run, "sha256:other") == RecordedTrials()
    assert await record(queue, run, trial(0, 0.8), "sha256:other")
    assert (await queue.trials(run, "sha256:other")).ended == (trial(0, 0.8),)


async def test_who_has_lost_the_claim_records_no_trial(backend: Backend) -> None:
    await enqueue(backend)
    first, second = backend.queue("one", timedelta(0)), backend.queue("two")
    lost = await claimed(first)
    assert await first.begin_trial(lost, "sha256:rows", trial(0))
    taken = await claimed(second)
    assert not await first.end_trial(lost, trial(0, 0.7), progressed(lost, trial(0)))
    assert not await first.begin_trial(lost, "sha256:rows", trial(1))
    assert await second.trials(taken, "sha256:rows") == RecordedTrials()
    assert await backend.ids("training.progressed") == []
