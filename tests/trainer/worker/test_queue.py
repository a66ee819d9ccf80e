"""The queue of runs: one contract suite for the in-memory one and PostgreSQL's, and PostgreSQL's concurrency."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from rondo.trainer import handlers
from rondo.trainer.run import Ended
from rondo.trainer.triggers.handle_trigger import handle_trigger
from rondo.trainer.triggers.postgres import PostgresUnitOfWork, handling
from rondo.trainer.worker import queue

from tests.trainer import builders
from tests.trainer.postgres import count, waits_for_lock
from tests.trainer.worker.queues import Backend, Postgres, claimed, enqueue, failed, skipped, started

if TYPE_CHECKING:
    from rondo.chassis.postgres.pool import Database


async def test_a_claimed_run_has_what_was_queued(backend: Backend) -> None:
    before = datetime.now(UTC) - timedelta(seconds=5)
    await enqueue(backend)
    run = await claimed(backend.queue("w"))
    assert (run.id, run.attempt, run.worker, run.spec) == ("run-1", 1, "w", builders.spec())
    assert run.trigger == builders.trigger(name="run-1")
    assert run.started_at > before
    assert await backend.queue("other").claim(3) is None


async def test_a_run_has_the_sources_of_the_spec_that_was_in_force_when_it_was_queued(backend: Backend) -> None:
    async for work in backend.work():
        await work.save_spec(builders.spec_applied(builders.spec(), 1, (builders.WEATHER,)))
    await enqueue(backend)
    async for work in backend.work():
        await work.save_spec(builders.spec_applied(builders.spec(), 2))
    run = await claimed(backend.queue())
    assert run.sources == (builders.WEATHER,)
    assert await backend.queue().finish(run, Ended(failed(run)))
    await enqueue(backend, "run-2")
    assert (await claimed(backend.queue())).sources == ()


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


async def test_a_registration_is_no_training(backend: Backend) -> None:
    await enqueue(backend, kind="registration")
    run = await claimed(backend.queue())
    assert await backend.queue().finish(run, Ended(builders.trained(run)))
    async for work in backend.work():
        history = await work.history("flight-delay")
        assert (history.runs[0].state, history.ever_trained) == ("trained", False)


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
    """The paused run is the older one, and does not run at the same time as the other."""
    await enqueue(backend, "run-1")
    queue = backend.queue("dead", timedelta(0))
    await queue.hand_back(await claimed(queue), timedelta(milliseconds=1))
    await enqueue(backend, "run-2", kind="registration")
    await enqueue(backend, "run-3", model="other")
    await asyncio.sleep(0.002)
    first = await claimed(queue)
    assert (first.id, first.attempt) == ("run-1", 2)
    assert [(await claimed(backend.queue())).id for _ in range(2)] == ["run-1", "run-3"]


async def test_concurrent_workers_claim_a_run_once(store: Database) -> None:
    backend = Postgres(store)
    await enqueue(backend)
    claims = await asyncio.gather(*(backend.queue(f"w{n}").claim(3) for n in range(5)))
    assert [claim.id for claim in claims if claim is not None] == ["run-1"]


async def test_concurrent_workers_claim_one_run_of_a_model(store: Database) -> None:
    """The claims begin at the same time. None of them sees the run of another one before it is committed."""
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
    """There are two connections: the handler has seen the run in flight, and has not committed yet."""
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
    """There are two connections: a slow worker ends the run while another one fails it after its last attempt."""
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
