"""The queue of runs: one contract suite for the in-memory one and PostgreSQL's, and PostgreSQL's concurrency."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from rondo.contracts.events.models import ModelRemoved, ModelRolledBack
from rondo.contracts.events.training import TrainingFailed, TrainingProgressed, TrainingSkipped, TrainingStarted
from rondo.trainer import handlers
from rondo.trainer.adaptation.comparison import Rows, ScoredChunk, State, Unconfirmed, choose, course
from rondo.trainer.adaptation.record import ChunkScore
from rondo.trainer.run import ChampionVersion, Ended, Labels, LastTraining, RecordedTrials, Training, Trial
from rondo.trainer.triggers.handle_trigger import handle_trigger
from rondo.trainer.triggers.postgres import PostgresUnitOfWork, handling
from rondo.trainer.worker import queue
from rondo.trainer.worker.queue import PostgresRunQueue

from tests.trainer import builders
from tests.trainer.fakes import MemoryRunQueue, MemoryStore, MemoryUnitOfWork
from tests.trainer.postgres import LEASE, count, waits_for_lock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from rondo.chassis.postgres.pool import Database
    from rondo.trainer.ports import RunQueue, UnitOfWork


class Memory:
    """The in-memory queue and unit of work."""

    def __init__(self) -> None:
        self.store = MemoryStore()

    def queue(self, worker: str = "one", lease: timedelta = LEASE) -> RunQueue:
        return MemoryRunQueue(self.store, worker, lease)

    async def work(self) -> AsyncIterator[UnitOfWork]:
        yield MemoryUnitOfWork(self.store)

    async def release(self, worker: str) -> None:
        self.store.release(worker)

    async def ids(self, topic: str) -> list[str | None]:
        return [name for name, event in self.store.published if event.topic == topic]

    async def state(self) -> tuple[str, str]:
        run = self.store.runs[0]
        return run.state, getattr(run.result, "reason", "")


class Postgres:
    """PostgreSQL's queue and unit of work."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def queue(self, worker: str = "one", lease: timedelta = LEASE) -> RunQueue:
        return PostgresRunQueue(self.database, worker, lease)

    async def work(self) -> AsyncIterator[UnitOfWork]:
        async with self.database.transaction() as transaction:
            yield PostgresUnitOfWork(transaction)

    async def release(self, worker: str) -> None:
        await queue.release(self.database, worker)

    async def ids(self, topic: str) -> list[str | None]:
        rows = await self.database.pool.fetch("select event_id from outbox where topic = $1", topic)
        return [row["event_id"] for row in rows]

    async def state(self) -> tuple[str, str]:
        row = await self.database.pool.fetchrow("select state, detail from runs order by created_at limit 1")
        assert row is not None
        return row["state"], row["detail"] or ""


@pytest.fixture(params=["memory", "postgres"])
def backend(request: pytest.FixtureRequest) -> Memory | Postgres:
    return Memory() if request.param == "memory" else Postgres(request.getfixturevalue("store"))


Backend = Memory | Postgres


async def enqueue(backend: Backend, name: str = "run-1", model: str = "flight-delay", kind: str = "drift") -> None:
    async for work in backend.work():
        await work.enqueue(name, builders.trigger(kind, name=name), builders.spec(model=model))


async def claimed(queue: RunQueue, max_attempts: int = 3) -> Any:
    run = await queue.claim(max_attempts)
    assert run is not None
    return run


def failed(run: Any) -> TrainingFailed:
    return TrainingFailed(model=run.model, run_id=run.id, trigger=run.trigger, reason="x", attempts=run.attempt)


def skipped(run: Any) -> TrainingSkipped:
    return TrainingSkipped(model=run.model, trigger=run.trigger, reason="not_enough_data", detail="few", run_id=run.id)


def started(run: Any) -> TrainingStarted:
    return TrainingStarted(
        model=run.model, run_id=run.id, trigger=run.trigger, spec_digest=run.spec.digest, started_at=run.started_at
    )


CHUNK = ScoredChunk(1_000, 2_000, {"since": ChunkScore(90, 0.25, (0.2, 0.3)), "all": ChunkScore(90, 0.5, (0.4, 0.6))})
STATE = State(1_000, 5_000, "all", (CHUNK,), Unconfirmed(6_000, rows=1_300))
KNOWN = Training(1_200, 1_080, builders.START, STATE, growth=0.2, gain=0.01, basis="a", loss=0.3)


async def labels(backend: Backend, add: int = 0) -> Labels:
    """Count labelled rows that an event told of, and return what is known."""
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
    later = replace(KNOWN, rows=1_300, state=State(1_000))
    assert await queue.finish(run, Ended(builders.trained(run), later))
    assert await queue.training("flight-delay") == later


async def test_the_record_keeps_every_chunk_of_rows_with_one_event_time(backend: Backend) -> None:
    days = np.repeat(np.arange(20), 500) * 86_400_000_000
    rows, state = Rows(days, 0, features=3, fades=True), State(1_000)
    planned = course(rows, state, fitted_until=int(days[-501]))
    scored = {each.name: np.linspace(0.1, 0.3, 500) for each in planned.strategies}
    known = replace(KNOWN, state=choose(rows, state, planned, scored).state)
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


async def test_a_removal_forgets_what_was_known_and_a_run_before_it_makes_nothing_known(backend: Backend) -> None:
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


async def test_a_claimed_run_has_what_was_queued(backend: Backend) -> None:
    before = datetime.now(UTC) - timedelta(seconds=5)
    await enqueue(backend)
    run = await claimed(backend.queue("w"))
    assert (run.id, run.attempt, run.worker, run.spec) == ("run-1", 1, "w", builders.spec())
    assert run.trigger == builders.trigger(name="run-1")
    assert run.started_at > before
    assert await backend.queue("other").claim(3) is None


async def test_a_waiting_worker_is_notified_of_a_run(backend: Backend) -> None:
    queue = backend.queue()
    await queue.listen()
    assert await queue.claim(3) is None
    async with asyncio.timeout(5):
        waiting = asyncio.create_task(queue.wait(60))
        await enqueue(backend)
        await waiting
    await claimed(queue)


async def test_waiting_ends_without_a_run_too(backend: Backend) -> None:
    async with asyncio.timeout(5):
        await backend.queue().wait(0.01)


async def test_an_expired_lease_gives_the_run_to_another_worker_and_the_late_result_changes_nothing(
    backend: Backend,
) -> None:
    await enqueue(backend)
    first, second = backend.queue("one", timedelta(0)), backend.queue("two")
    lost = await claimed(first)
    taken = await claimed(second)
    assert taken.attempt == 2
    assert not await first.renew(lost)
    assert not await first.finish(lost, Ended(failed(lost)))
    await first.hand_back(lost, timedelta(0))
    assert await second.renew(taken)
    assert await second.finish(taken, Ended(failed(taken)))
    assert not await second.finish(taken, Ended(failed(taken)))
    assert await backend.ids("training.failed") == ["run-1.failed"]


async def test_the_runs_of_a_dead_worker_are_released_at_once(backend: Backend) -> None:
    await enqueue(backend)
    queue = backend.queue("one")
    await claimed(queue)
    assert await queue.claim(3) is None
    await backend.release("one")
    assert (await claimed(backend.queue("two"))).attempt == 2


async def test_other_runs_are_claimed_before_a_postponed_one(backend: Backend) -> None:
    for name in ("first", "second"):
        await enqueue(backend, name, model=f"model-of-{name}")
    queue = backend.queue()
    first = await claimed(queue)
    await queue.postpone(first, timedelta(hours=1))
    second = await claimed(queue)
    assert (first.id, second.id) == ("first", "second")
    await queue.hand_back(second, timedelta(hours=1))
    assert await queue.claim(3) is None


async def test_a_postponed_attempt_does_not_count_and_a_handed_back_one_does(backend: Backend) -> None:
    await enqueue(backend)
    queue = backend.queue()
    await queue.postpone(await claimed(queue), timedelta(0))
    again = await claimed(queue)
    await queue.hand_back(again, timedelta(0))
    assert (again.attempt, (await claimed(queue)).attempt) == (1, 2)


async def test_a_run_that_was_claimed_three_times_and_never_ended_fails(backend: Backend) -> None:
    await enqueue(backend)
    queue = backend.queue("one", timedelta(0))
    assert [(await claimed(queue)).attempt for _ in range(3)] == [1, 2, 3]
    assert await queue.claim(3) is None
    state, reason = await backend.state()
    assert state == "failed"
    assert "the worker died 3 times" in reason


async def test_all_attempts_announce_the_start_with_one_event_id(backend: Backend) -> None:
    await enqueue(backend)
    queue = backend.queue()
    for _ in range(2):
        run = await claimed(queue)
        await queue.begin(run, started(run), "sha256:rows", "sha256:code")
        await queue.hand_back(run, timedelta(0))
    assert await backend.ids("training.started") == ["run-1.started"] * 2


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


async def test_a_registration_is_no_training(backend: Backend) -> None:
    await enqueue(backend, kind="registration")
    run = await claimed(backend.queue())
    assert await backend.queue().finish(run, Ended(builders.trained(run)))
    async for work in backend.work():
        history = await work.history("flight-delay")
        assert (history.runs[0].state, history.ever_trained) == ("trained", False)


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


async def test_trials_on_other_rows_are_forgotten(backend: Backend) -> None:
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


async def test_the_code_of_the_function_that_trained_is_kept(backend: Backend) -> None:
    queue = backend.queue()
    await enqueue(backend)
    run = await claimed(queue)
    await queue.begin(run, started(run), "sha256:rows", "sha256:code")
    assert await queue.finish(run, Ended(builders.trained(run)))
    assert await queue.last_training("flight-delay") == LastTraining(
        "run-1", run.spec.digest, "sha256:rows", "sha256:code"
    )


async def test_the_last_champions_are_each_there_once_until_the_model_is_withdrawn(backend: Backend) -> None:
    queue = backend.queue()
    assert await queue.last_champions("flight-delay", 3) == ()

    async def deploy(*deployments: tuple[int | None, int]) -> list[int]:
        async for work in backend.work():
            for version, revision in deployments:
                deployed = builders.deployment(version, revision, digest=f"sha256:{version or 0:064}")
                await work.save_champion(deployed, builders.START + timedelta(hours=revision))
        return [each.model_version for each in await queue.last_champions("flight-delay", 3)]

    assert await deploy((1, 1), (2, 2), (3, 3)) == [3, 2, 1]
    # A rollback to version 1, the same deployment again, and one that arrives late.
    assert await deploy((1, 4), (1, 4), (2, 2)) == [1, 3, 2]
    assert await deploy((4, 5)) == [4, 1, 3]
    assert await queue.last_champions("flight-delay", 1) == (ChampionVersion(4, f"sha256:{4:064}"),)
    assert await queue.last_champions("other", 3) == ()
    assert await deploy((None, 6)) == []
    assert await deploy((7, 7)) == [7]


async def test_a_version_that_was_rolled_back_is_no_past_champion_unless_it_is_champion_again(backend: Backend) -> None:
    queue = backend.queue()

    async def deploy(version: int, revision: int) -> None:
        async for work in backend.work():
            await work.save_champion(builders.deployment(version, revision), builders.START + timedelta(hours=revision))

    async def roll_back(version: int, to: int, revision: int) -> None:
        rolled_back = ModelRolledBack(
            model="flight-delay", from_version=version, to_version=to, digest=builders.DIGEST, reason="bad",
            decided_by="ann",
        )  # fmt: skip
        async for work in backend.work():
            await work.save_rollback(rolled_back, builders.START + timedelta(hours=revision))

    async def past() -> list[int]:
        return [each.model_version for each in await queue.last_champions("flight-delay", 3)]

    await deploy(1, 1)
    await deploy(2, 2)
    await roll_back(2, 1, 3)
    await deploy(1, 3)
    assert await past() == [1]
    # The topics have no order: here the rollback of version 4 arrives before its deployment.
    await roll_back(4, 1, 5)
    await deploy(4, 4)
    await deploy(1, 5)
    assert await past() == [1]
    await deploy(2, 6)
    assert await past() == [2, 1]


async def test_a_skipped_run_is_no_longer_in_flight(backend: Backend) -> None:
    await enqueue(backend)
    queue = backend.queue()
    run = await claimed(queue)
    assert await queue.finish(run, Ended(skipped(run)))
    await enqueue(backend, "run-2")
    assert (await claimed(queue)).id == "run-2"


async def test_the_end_of_a_run_starts_the_deferred_one(backend: Backend) -> None:
    await enqueue(backend, kind="data")
    async for work in backend.work():
        await work.save_spec(builders.spec_applied(builders.spec()))
        await work.defer("flight-delay", builders.trigger("data", name="feb"))
    queue = backend.queue()
    run = await claimed(queue)
    assert await queue.finish(run, Ended(skipped(run)))
    assert (await claimed(queue)).trigger.id == "feb"


async def test_registrations_and_a_training_of_a_model_are_queued_together_and_run_one_after_the_other(
    backend: Backend,
) -> None:
    async for work in backend.work():
        await work.save_spec(builders.spec_applied(builders.spec()))
        await handle_trigger("flight-delay", builders.trigger("drift", name="drift"), work)
        for name in ("file-1", "file-2"):
            await handle_trigger("flight-delay", builders.trigger("registration", name=name), work)
    one, two, ended = backend.queue("one"), backend.queue("two"), []
    for _ in range(3):
        run = await claimed(one)
        assert await two.claim(3) is None, "another run of the model has a worker"
        assert await one.finish(run, Ended(skipped(run)))
        ended.append(run.trigger.id)
    assert ended == ["drift", "file-1", "file-2"]


async def test_a_training_is_queued_beside_a_registration(backend: Backend) -> None:
    async for work in backend.work():
        await work.save_spec(builders.spec_applied(builders.spec()))
        await handle_trigger("flight-delay", builders.trigger("registration", name="file"), work)
        await handle_trigger("flight-delay", builders.trigger("drift", name="drift"), work)
    queue = backend.queue()
    run = await claimed(queue)
    assert await queue.finish(run, Ended(skipped(run)))
    assert (await claimed(queue)).trigger.id == "drift"


async def test_a_run_whose_lease_has_ended_is_claimed_before_the_next_one_of_its_model(backend: Backend) -> None:
    """The run that paused is the older one, and is not begun beside the other."""
    await enqueue(backend, "run-1")
    queue = backend.queue("dead", timedelta(0))
    await queue.hand_back(await claimed(queue), timedelta(milliseconds=1))
    await enqueue(backend, "run-2", kind="registration")
    await enqueue(backend, "run-3", model="other")
    await asyncio.sleep(0.002)
    first = await claimed(queue)
    assert (first.id, first.attempt) == ("run-1", 2)
    assert [(await claimed(backend.queue())).id for _ in range(2)] == ["run-1", "run-3"]


async def test_the_champion_is_that_of_the_latest_revision(backend: Backend) -> None:
    queue = backend.queue()
    assert await queue.champion("flight-delay") is None
    async for work in backend.work():
        await work.save_champion(builders.deployment(3, revision=2), builders.START)
        await work.save_champion(builders.deployment(None, revision=1), builders.START)
    assert await queue.champion("flight-delay") == ChampionVersion(3, builders.DIGEST)
    assert await queue.champion("other") is None
    async for work in backend.work():
        await work.save_champion(builders.deployment(None, revision=3), builders.START)
    assert await queue.champion("flight-delay") is None


async def test_a_promotion_of_the_last_candidate_is_waited_for_within_a_bound(store: Database) -> None:
    """A rejection publishes nothing that the trainer reads: the bound ends the wait."""
    backend = Postgres(store)
    queue, hour = backend.queue(), timedelta(hours=1)
    await queue.listen()
    async with asyncio.timeout(10):
        await queue.wait_for_promotion("flight-delay", hour)
        await deploy(backend, 1)
        await enqueue(backend)
        await claimed(queue)
        await store.pool.execute("update runs set state = 'trained', finished_at = clock_timestamp()")
        await queue.wait_for_promotion("flight-delay", timedelta(0))
        waiting = asyncio.create_task(queue.wait_for_promotion("flight-delay", hour))
        assert (await asyncio.wait({waiting}, timeout=0.1))[1], "version 1 is older than the candidate"
        await deploy(backend, 2)
        await waiting
        await queue.wait_for_promotion("flight-delay", hour)


async def deploy(backend: Backend, revision: int) -> None:
    async for work in backend.work():
        await work.save_champion(builders.deployment(revision, revision), builders.START)


async def test_concurrent_workers_claim_a_run_once(store: Database) -> None:
    backend = Postgres(store)
    await enqueue(backend)
    claims = await asyncio.gather(*(backend.queue(f"w{n}").claim(3) for n in range(5)))
    assert [claim.id for claim in claims if claim is not None] == ["run-1"]


async def test_concurrent_workers_claim_one_run_of_a_model(store: Database) -> None:
    """The claims begin together: none of them sees the others' run before it is committed."""
    backend = Postgres(store)
    await enqueue(backend)
    for number in range(2, 5):
        await enqueue(backend, f"run-{number}", kind="registration")
    async with store.transaction() as transaction:
        await transaction.connection.execute("lock table runs in exclusive mode")
        claiming = [asyncio.create_task(backend.queue(f"w{n}").claim(3)) for n in range(5)]
        await waits_for_lock(store, claiming[0], "trainer.claim")
    claims = await asyncio.gather(*claiming)
    assert [claim.id for claim in claims if claim is not None] == ["run-1"]


async def test_a_batch_that_is_being_deferred_while_the_run_ends_is_not_lost(store: Database) -> None:
    """Two connections: the handler has seen the run in flight, and has not committed yet."""
    backend = Postgres(store)
    async for work in backend.work():
        await work.save_spec(builders.spec_applied(builders.spec()))
    await enqueue(backend, kind="data")
    queue = backend.queue()
    run = await claimed(queue)
    envelope = builders.enveloped(builders.batch_accepted("feb", 59), "feb")
    async with handling(store)(envelope) as work:
        await handlers.on_batch_accepted(envelope, work)
        ending = asyncio.create_task(queue.finish(run, Ended(skipped(run))))
        await waits_for_lock(store, ending)
    assert await ending
    assert (await claimed(queue)).trigger.id == "flights/feb"


async def test_giving_a_run_up_and_its_late_end_do_not_block_each_other(store: Database) -> None:
    """Two connections: a slow worker ends the run while another finds that it has had all its attempts."""
    backend = Postgres(store)
    await enqueue(backend)
    run = await claimed(backend.queue("late", timedelta(0)), 1)
    async with store.transaction() as transaction:
        await PostgresUnitOfWork(transaction).lock_model("flight-delay")
        claiming = asyncio.create_task(backend.queue("other").claim(1))
        await waits_for_lock(store, claiming)
        assert not await queue.finish(transaction, run, Ended(failed(run))), "the claim is the other worker's by now"
    assert await claiming is None
    state, reason = await backend.state()
    assert state == "failed"
    assert "the worker died 1 times" in reason
    assert await count(store, "outbox where topic = 'training.failed'") == 1
