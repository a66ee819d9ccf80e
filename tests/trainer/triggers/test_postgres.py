"""The trainer's adapters on a real PostgreSQL; where the fake of the handlers' tests has the same port, on both."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from rondo.chassis.errors import AlreadyHandledError
from rondo.contracts.events.deployment import DeploymentChanged
from rondo.contracts.events.training import TrainingFailed, TrainingRequested, TrainingSkipped, TrainingStarted
from rondo.trainer import handlers
from rondo.trainer.runs.end import end
from rondo.trainer.runs.queue import PostgresRuns, release
from rondo.trainer.runs.run import Batch, Serving
from rondo.trainer.triggers.postgres import PostgresWork, handling

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from rondo.chassis.postgres.pool import Database

LEASE = timedelta(seconds=30)


@pytest.fixture(params=["memory", "postgres"])
def begin(request: pytest.FixtureRequest) -> Callable[[str], AbstractAsyncContextManager[Any]]:
    """Return what opens the unit of work of a new event."""
    make = request.getfixturevalue("make")
    if request.param == "postgres":
        opened = handling(request.getfixturevalue("store"))
        return lambda name: opened(make.enveloped(make.drift(), name))
    work = request.getfixturevalue("memory")

    @asynccontextmanager
    async def in_memory(_: str) -> AsyncIterator[Any]:
        yield work

    return in_memory


async def test_the_latest_spec_and_batch_are_kept(begin: Any, make: Any) -> None:
    async with begin("1") as work:
        assert await work.spec("flight-delay") is None
        assert await work.latest_batch("flights") is None
        newer = make.spec(trainer={"min_rows": 5})
        await work.save_spec(make.spec_applied(newer, 2))
        await work.save_spec(make.spec_applied(make.spec(), 1))
        await work.save_batch(make.batch_accepted("feb", 59))
        await work.save_batch(make.batch_accepted("jan", 31))
    async with begin("2") as work:
        kept = await work.spec("flight-delay")
        assert kept == newer
        assert kept.digest == newer.digest
        assert list(kept.features) == list(newer.features)
        assert await work.latest_batch("flights") == Batch("feb", make.start + timedelta(days=59))
        assert await work.models_of("flights") == ("flight-delay",)
        assert await work.models_of("others") == ()


async def test_one_trigger_is_deferred_a_model_the_latest_and_taken_once(begin: Any, make: Any) -> None:
    async with begin("1") as work:
        await work.defer("flight-delay", make.trigger("data", name="jan"))
        await work.defer("flight-delay", make.trigger("data", name="feb"))
    async with begin("2") as work:
        assert await work.take_deferred("other") is None
        assert await work.take_deferred("flight-delay") == make.trigger("data", name="feb")
        assert await work.take_deferred("flight-delay") is None


async def test_a_started_run_is_the_newest_of_the_history(begin: Any, make: Any) -> None:
    async with begin("1") as work:
        await work.start("run-1", make.trigger(name="one"), make.spec())
        history = await work.history("flight-delay")
    assert [(run.id, run.trigger, run.spec_digest, run.state) for run in history.runs] == [
        ("run-1", make.trigger(name="one"), make.spec().digest, "queued")
    ]
    assert not history.ever_trained


async def test_the_champion_is_the_one_of_the_latest_revision(store: Database, make: Any) -> None:
    runs = PostgresRuns(store, "w", LEASE)
    route = {"model_version": 3, "digest": make.digest, "share": 1, "role": "primary", "features": {}}
    for revision, routes in ((2, [route]), (1, [])):
        changed = DeploymentChanged(model="flight-delay", revision=revision, routes=routes)  # type: ignore[arg-type]
        async with handling(store)(make.enveloped(changed, f"d-{revision}")) as work:
            await handlers.on_deployment_changed(make.enveloped(changed), work)
    assert await runs.serving("flight-delay") == Serving(3, make.digest)
    assert await runs.serving("other") is None


async def _deployed(store: Database, make: Any, revision: int) -> None:
    route = {"model_version": revision, "digest": make.digest, "share": 1, "role": "primary", "features": {}}
    changed = make.enveloped(
        DeploymentChanged.model_validate({"model": "flight-delay", "revision": revision, "routes": [route]}),
        f"deployment-{revision}",
    )
    async with handling(store)(changed) as work:
        await handlers.on_deployment_changed(changed, work)


async def test_the_verdict_on_the_last_candidate_is_waited_for(store: Database, make: Any) -> None:
    """Of a rejection nothing is heard: then patience ends the waiting."""
    runs = PostgresRuns(store, "w", LEASE)
    await runs.listen()
    async with asyncio.timeout(10):
        await runs.verdict("flight-delay", timedelta(hours=1))
        await _deployed(store, make, 1)
        await _trained(store, make, runs)
        await runs.verdict("flight-delay", timedelta(0))
        waiting = asyncio.create_task(runs.verdict("flight-delay", timedelta(hours=1)))
        assert (await asyncio.wait({waiting}, timeout=0.1))[1], "version 1 is not the candidate"
        await _deployed(store, make, 2)
        await waiting
        await runs.verdict("flight-delay", timedelta(hours=1))


async def _trained(store: Database, make: Any, runs: PostgresRuns) -> None:
    await _record(store, make)
    run = await runs.claim(3)
    assert run is not None
    await store.pool.execute("update runs set state = 'trained', finished_at = clock_timestamp()")


async def test_an_event_is_handled_once(store: Database, make: Any) -> None:
    async with handling(store)(make.enveloped(make.drift(), "e")) as work:
        await work.start("run-1", make.trigger(), make.spec())
    with pytest.raises(AlreadyHandledError):
        async with handling(store)(make.enveloped(make.drift(), "e")):
            pytest.fail("it was handled before")


async def test_findings_at_the_same_time_make_one_run(store: Database, make: Any) -> None:
    """Replicas decide side by side: the model's lock makes them take turns."""
    async with handling(store)(make.enveloped(make.drift(), "spec")) as work:
        await work.save_spec(make.spec_applied(make.spec()))

    async def told(n: int) -> None:
        envelope = make.enveloped(make.drift(f"drift-{n}"), f"event-{n}")
        async with handling(store)(envelope) as work:
            await handlers.on_drift_detected(envelope, work)

    await asyncio.gather(*(told(n) for n in range(20)))
    assert await _count(store, "runs") == 1
    assert await _count(store, "outbox where topic = 'training.skipped'") == 19


async def _record(store: Database, make: Any, name: str = "run-1", model: str = "flight-delay") -> None:
    async with handling(store)(make.enveloped(make.drift(), name)) as work:
        await work.start(name, make.trigger(name=name), make.spec(model=model))


async def _count(store: Database, what: str) -> int:
    return int(await store.pool.fetchval(f"select count(*) from {what}"))  # noqa: S608


async def test_a_run_is_claimed_by_one_worker(store: Database, make: Any) -> None:
    await _record(store, make)
    claims = await asyncio.gather(*(PostgresRuns(store, f"w{n}", LEASE).claim(3) for n in range(5)))
    (run,) = [claim for claim in claims if claim is not None]
    assert (run.id, run.attempt, run.spec, run.trigger) == ("run-1", 1, make.spec(), make.trigger(name="run-1"))


async def test_a_worker_hears_of_a_run_at_once(store: Database, make: Any) -> None:
    runs = PostgresRuns(store, "w", LEASE)
    await runs.listen()
    assert await runs.claim(3) is None
    async with asyncio.timeout(5):
        waiting = asyncio.create_task(runs.wait(60))
        await _record(store, make)
        await waiting
    assert await runs.claim(3) is not None


async def test_a_lease_that_ends_gives_the_run_away_and_the_late_result_changes_nothing(
    store: Database, make: Any
) -> None:
    await _record(store, make)
    first, second = PostgresRuns(store, "one", timedelta(0)), PostgresRuns(store, "two", LEASE)
    lost = await first.claim(3)
    taken = await second.claim(3)
    assert lost is not None
    assert taken is not None
    assert taken.attempt == 2
    assert not await first.renew(lost)
    assert not await first.finish(lost, _failed(lost))
    assert await second.renew(taken)
    assert await second.finish(taken, _failed(taken))
    assert not await second.finish(taken, _failed(taken))
    assert await _count(store, "outbox where topic = 'training.failed'") == 1


async def test_what_a_dead_worker_held_is_released_at_once(store: Database, make: Any) -> None:
    await _record(store, make)
    runs = PostgresRuns(store, "one", LEASE)
    await runs.claim(3)
    assert await runs.claim(3) is None
    await release(store, "one")
    again = await PostgresRuns(store, "two", LEASE).claim(3)
    assert again is not None
    assert again.attempt == 2


async def test_a_run_that_waits_lets_the_others_go_before_it(store: Database, make: Any) -> None:
    for name in ("first", "second"):
        await _record(store, make, name, model=f"model-of-{name}")
    runs = PostgresRuns(store, "one", LEASE)
    first = await runs.claim(3)
    assert first is not None
    await runs.postpone(first, timedelta(hours=1))
    second = await runs.claim(3)
    assert second is not None
    await runs.hand_back(second, timedelta(hours=1))
    assert await runs.claim(3) is None
    await store.pool.execute("update runs set not_before = clock_timestamp()")
    again = [await runs.claim(3) for _ in range(2)]
    assert [(run.id, run.attempt) for run in again if run] == [("first", 1), ("second", 2)], "waiting is no attempt"


async def test_a_run_that_was_begun_three_times_ends_as_failed(store: Database, make: Any) -> None:
    await _record(store, make)
    runs = PostgresRuns(store, "one", timedelta(0))
    for attempt in (1, 2, 3):
        run = await runs.claim(3)
        assert run is not None
        assert run.attempt == attempt
    assert await runs.claim(3) is None
    assert await store.pool.fetchval("select state from runs") == "failed"
    assert "the worker died 3 times during this run" in await store.pool.fetchval("select detail from runs")


async def test_attempts_of_one_run_are_told_with_one_event_id(store: Database, make: Any) -> None:
    await _record(store, make)
    runs = PostgresRuns(store, "one", LEASE)
    for _ in range(2):
        run = await runs.claim(3)
        assert run is not None
        await runs.begin(run, TrainingStarted(
            model=run.model, run_id=run.id, trigger=run.trigger, spec_digest=run.spec.digest, started_at=run.started_at
        ))  # fmt: skip
        await runs.hand_back(run, timedelta(0))
    told = await store.pool.fetch("select event_id from outbox where topic = 'training.started'")
    assert [row["event_id"] for row in told] == ["run-1.started"] * 2


async def test_a_skipped_run_lets_the_next_one_in(store: Database, make: Any) -> None:
    await _record(store, make)
    runs = PostgresRuns(store, "one", LEASE)
    run = await runs.claim(3)
    assert run is not None
    skipped = TrainingSkipped(
        model=run.model, trigger=run.trigger, reason="not_enough_data", detail="few", run_id=run.id
    )
    assert await runs.finish(run, skipped)
    await _record(store, make, "run-2")
    assert await _count(store, "runs where state = 'queued'") == 1


def _failed(run: Any) -> TrainingFailed:
    return TrainingFailed(model=run.model, run_id=run.id, trigger=run.trigger, reason="x", attempts=run.attempt)


async def test_the_end_of_a_run_starts_the_one_that_waited_for_it(store: Database, make: Any) -> None:
    await _in_flight(store, make)
    async with store.transaction() as transaction:
        await PostgresWork(transaction).defer("flight-delay", make.trigger("data", name="feb"))
    runs = PostgresRuns(store, "worker", LEASE)
    run = await runs.claim(3)
    assert run is not None
    assert await runs.finish(run, _waiting(run))
    waited = await runs.claim(3)
    assert waited is not None
    assert waited.trigger.id == "feb"


async def test_a_batch_that_is_being_deferred_while_the_run_ends_is_not_forgotten(store: Database, make: Any) -> None:
    """Two connections: the handler has seen the run in flight, and has not committed yet."""
    await _in_flight(store, make)
    runs = PostgresRuns(store, "worker", LEASE)
    run = await runs.claim(3)
    assert run is not None
    envelope = make.enveloped(make.batch_accepted("feb", 59), "feb")
    async with handling(store)(envelope) as work:
        await handlers.on_batch_accepted(envelope, work)
        ending = asyncio.create_task(runs.finish(run, _waiting(run)))
        await _waiting_its_turn(store, ending)
    assert await ending
    waited = await runs.claim(3)
    assert waited is not None
    assert waited.trigger.id == "flights/feb"


async def test_a_request_that_is_being_kept_while_its_spec_comes_is_not_forgotten(store: Database, make: Any) -> None:
    """Two connections: the handler of the request has found no spec, and has not committed yet."""
    asked = TrainingRequested(model="flight-delay", trigger=make.trigger("manual", 1, "by-hand"), requested_by="ann")
    request, applied = make.enveloped(asked, "asked"), make.enveloped(make.spec_applied(make.spec()), "applied")

    async def apply() -> None:
        async with handling(store)(applied) as work:
            await handlers.on_spec_applied(applied, work)

    async with handling(store)(request) as work:
        await handlers.on_training_requested(request, work)
        applying = asyncio.create_task(apply())
        await _waiting_its_turn(store, applying)
    await applying
    run = await PostgresRuns(store, "worker", LEASE).claim(3)
    assert run is not None
    assert run.trigger.id == "by-hand"


async def test_a_spec_and_its_data_that_come_at_once_start_the_first_training(store: Database, make: Any) -> None:
    """Two replicas: neither may miss what the other has not committed yet."""
    batch = make.enveloped(make.batch_accepted("jan", 31), "jan")
    applied = make.enveloped(make.spec_applied(make.spec()), "applied")

    async def accept() -> None:
        async with handling(store)(batch) as work:
            await handlers.on_batch_accepted(batch, work)

    async with handling(store)(applied) as work:
        await handlers.on_spec_applied(applied, work)
        accepting = asyncio.create_task(accept())
        await _waiting_its_turn(store, accepting, "trainer.dataset.flights")
    await accepting
    run = await PostgresRuns(store, "worker", LEASE).claim(3)
    assert run is not None
    assert run.trigger.id == "flights/jan"


async def test_what_somebody_asked_for_outlives_the_data_that_came_after_it(store: Database, make: Any) -> None:
    async with store.transaction() as transaction:
        work = PostgresWork(transaction)
        await work.defer("flight-delay", make.trigger("data", name="feb"))
        await work.defer("flight-delay", make.trigger("manual", name="by-hand"))
        await work.defer("flight-delay", make.trigger("data", name="mar"))
        assert await work.take_deferred("flight-delay") == make.trigger("manual", name="by-hand")


async def test_giving_a_run_up_and_its_late_end_do_not_wait_for_each_other(store: Database, make: Any) -> None:
    """Two connections: a worker that was thought dead ends the run while another finds that it was begun too often."""
    await _in_flight(store, make)
    run = await PostgresRuns(store, "late", timedelta(0)).claim(1)
    assert run is not None
    async with store.transaction() as transaction:
        await PostgresWork(transaction).take_turn("flight-delay")
        claiming = asyncio.create_task(PostgresRuns(store, "other", LEASE).claim(1))
        await _waiting_its_turn(store, claiming)
        assert not await end(transaction, run, _failed(run)), "it is the other's by now"
    assert await claiming is None
    assert "the worker died 1 times" in await store.pool.fetchval("select detail from runs")


async def _waiting_its_turn(
    store: Database, task: asyncio.Task[Any], turn: str = "trainer.admission.flight-delay"
) -> None:
    """Return once the task waits for the lock of a turn, by default of the model's admission, or is done."""
    waits = f"""pg_locks where locktype = 'advisory' and not granted
        and database = (select oid from pg_database where datname = current_database())
        and objid = (hashtext('{turn}')::bigint & 4294967295)::oid"""  # noqa: S608 - our own text
    async with asyncio.timeout(10):
        while not task.done() and not await _count(store, waits):  # noqa: ASYNC110 - the server tells nobody
            await asyncio.sleep(0.01)


async def _in_flight(store: Database, make: Any) -> None:
    async with store.transaction() as transaction:
        work = PostgresWork(transaction)
        await work.save_spec(make.spec_applied(make.spec()))
        await work.start("run-1", make.trigger("data", name="jan"), make.spec())


def _waiting(run: Any) -> TrainingSkipped:
    detail = "26,398 of 40,000 rows; waiting for more batches"
    return TrainingSkipped(model=run.model, trigger=run.trigger, reason="not_enough_data", detail=detail, run_id=run.id)
