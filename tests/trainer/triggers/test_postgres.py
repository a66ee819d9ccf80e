"""The handlers' unit of work: one contract suite for the in-memory one and PostgreSQL's, and PostgreSQL's locks."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from rondo.chassis.errors import AlreadyHandledError
from rondo.contracts.events.models import ModelRemoved
from rondo.trainer import handlers
from rondo.trainer.adaptation.training_window import AdaptationState
from rondo.trainer.run import Batch, Ended, Labels, Training
from rondo.trainer.triggers.postgres import PostgresUnitOfWork, handling
from rondo.trainer.worker.queue import PostgresRunQueue

from tests.trainer import builders
from tests.trainer.fakes import MemoryStore, MemoryUnitOfWork
from tests.trainer.postgres import LEASE, count, waits_for_lock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from rondo.chassis.postgres.pool import Database
    from rondo.contracts.spec.model import ModelSpec


@pytest.fixture(params=["memory", "postgres"])
def begin(request: pytest.FixtureRequest) -> Callable[[str], AbstractAsyncContextManager[Any]]:
    """Return a function that opens the unit of work of an event with this id."""
    if request.param == "postgres":
        opened = handling(request.getfixturevalue("store"))
        return lambda name: opened(builders.enveloped(builders.drift(), name))
    store = MemoryStore()

    @asynccontextmanager
    async def in_memory(_: str) -> AsyncIterator[Any]:
        yield MemoryUnitOfWork(store)

    return in_memory


async def test_the_latest_spec_and_batch_are_kept(begin: Any) -> None:
    async with begin("1") as work:
        assert await work.spec("flight-delay") is None
        assert await work.latest_batch("flights") is None
        newer = builders.spec(trainer={"min_rows": 5})
        await work.save_spec(builders.spec_applied(newer, 2))
        await work.save_spec(builders.spec_applied(builders.spec(), 1))
        await work.save_batch(builders.batch_accepted("feb", 59))
        await work.save_batch(builders.batch_accepted("jan", 31))
    async with begin("2") as work:
        kept = await work.spec("flight-delay")
        assert kept == newer
        assert kept.digest == newer.digest
        assert list(kept.features) == list(newer.features)
        assert await work.latest_batch("flights") == Batch("feb", builders.START + timedelta(days=59))


async def test_a_removed_model_has_no_spec_until_a_later_revision(begin: Any) -> None:
    removed = ModelRemoved(model="flight-delay", revision=2, decided_by="ana")
    async with begin("1") as work:
        await work.save_spec(builders.spec_applied(builders.spec(), 1))
        await work.remove_spec(removed)
        await work.save_spec(builders.spec_applied(builders.spec(), 1))
    async with begin("2") as work:
        assert await work.spec("flight-delay") is None
        assert await work.models_of("flights") == ()
        await work.save_spec(builders.spec_applied(builders.spec(), 3))
        await work.remove_spec(removed)
        assert await work.models_of("flights") == ("flight-delay",)


async def test_runs_of_the_specs_before_a_removal_are_those_of_another_model(begin: Any) -> None:
    async with begin("1") as work:
        await work.save_spec(builders.spec_applied(builders.spec(), 1))
        await work.enqueue("run-1", builders.trigger(name="one"), builders.spec())
        assert [run.before_removal for run in (await work.history("flight-delay")).runs] == [False]
        await work.save_spec(builders.spec_applied(builders.spec(), 3))
        await work.remove_spec(ModelRemoved(model="flight-delay", revision=2, decided_by="ana"))
        history = await work.history("flight-delay")
    assert [(run.id, run.before_removal) for run in history.runs] == [("run-1", True)]
    assert (history.ever_trained, history.removed_revision) == (False, 2)


async def test_the_models_of_a_dataset_are_sorted(begin: Any) -> None:
    async with begin("1") as work:
        for model in ("b", "a"):
            await work.save_spec(builders.spec_applied(builders.spec(model=model)))
        assert await work.models_of("flights") == ("a", "b")
        assert await work.models_of("others") == ()


async def test_one_training_per_model_is_deferred_the_latest_and_returned_once(begin: Any) -> None:
    async with begin("1") as work:
        await work.defer("flight-delay", builders.trigger("data", name="jan"))
        await work.defer("flight-delay", builders.trigger("data", name="feb"))
    async with begin("2") as work:
        assert await work.pop_deferred("other") == ()
        assert await work.pop_deferred("flight-delay") == (builders.trigger("data", name="feb"),)
        assert await work.pop_deferred("flight-delay") == ()


async def test_a_deferred_manual_trigger_is_replaced_by_a_manual_one_only(begin: Any) -> None:
    async with begin("1") as work:
        await work.defer("flight-delay", builders.trigger("data", name="feb"))
        await work.defer("flight-delay", builders.trigger("manual", name="by-hand"))
        await work.defer("flight-delay", builders.trigger("data", name="mar"))
        assert await work.pop_deferred("flight-delay") == (builders.trigger("manual", name="by-hand"),)
        await work.defer("flight-delay", builders.trigger("manual", name="one"))
        await work.defer("flight-delay", builders.trigger("manual", name="two"))
        assert await work.pop_deferred("flight-delay") == (builders.trigger("manual", name="two"),)


async def test_a_drop_of_the_performance_is_deferred_beside_a_training(begin: Any) -> None:
    async with begin("1") as work:
        assert await work.pop_harm("flight-delay") is None
        for kind, name in (("suspicion", "one"), ("performance", "two"), ("data", "feb")):
            await work.defer("flight-delay", builders.trigger(kind, name=name))
        assert await work.pop_harm("flight-delay") == builders.trigger("performance", name="two")
        assert await work.pop_harm("flight-delay") is None
        assert await work.pop_deferred("flight-delay") == (builders.trigger("data", name="feb"),)


async def test_labelled_rows_add_up_for_each_model(begin: Any) -> None:
    async with begin("1") as work:
        assert (await work.history("flight-delay")).labels == Labels()
        await work.count_labels("flight-delay", 20)
        await work.count_labels("other", 5)
        await work.count_labels("flight-delay", 3)
    async with begin("2") as work:
        assert (await work.history("flight-delay")).labels == Labels(23)


async def test_the_last_skip_of_each_kind_is_kept_until_a_run_is_queued_or_the_model_is_removed(begin: Any) -> None:
    async with begin("1") as work:
        assert await work.last_skip("flight-delay", "drift") is None
        await work.save_skip("flight-delay", "drift", "one")
        await work.count_labels("flight-delay", 3)
        await work.save_skip("flight-delay", "drift", "two")
        await work.save_skip("flight-delay", "suspicion", "other kind")
        await work.save_skip("other", "drift", "three")
    async with begin("2") as work:
        assert (await work.history("flight-delay")).labels == Labels(3)
        kept = [await work.last_skip("flight-delay", kind) for kind in ("drift", "suspicion", "quality")]
        assert kept == ["two", "other kind", None]
        await work.enqueue("run-1", builders.trigger(name="one"), builders.spec())
        assert [await work.last_skip("flight-delay", kind) for kind in ("drift", "suspicion")] == [None, None]
        await work.save_skip("flight-delay", "drift", "four")
        await work.remove_spec(ModelRemoved(model="flight-delay", revision=2, decided_by="ana"))
        assert [await work.last_skip(model, "drift") for model in ("flight-delay", "other")] == [None, "three"]


async def test_the_history_has_the_version_that_serves(begin: Any) -> None:
    for revision, version in enumerate((None, 4, None), start=1):
        async with begin(str(revision)) as work:
            await work.save_champion(builders.deployment(version, revision), builders.START)
            assert (await work.history("flight-delay")).champion == version


async def test_registrations_are_deferred_each_for_itself_and_returned_in_their_order(begin: Any) -> None:
    asked = [
        builders.trigger(kind, name=name)
        for kind, name in (("registration", "z"), ("manual", "by-hand"), ("registration", "a"))
    ]
    async with begin("1") as work:
        for trigger in (*asked, asked[0]):
            await work.defer("flight-delay", trigger)
        await work.defer("other", builders.trigger("registration", name="b"))
    async with begin("2") as work:
        assert await work.pop_deferred("flight-delay") == tuple(asked)
        assert await work.pop_deferred("flight-delay") == ()


async def test_a_queued_run_is_the_newest_of_the_history(begin: Any) -> None:
    async with begin("1") as work:
        await work.enqueue("run-1", builders.trigger(name="one"), builders.spec())
        await work.enqueue("run-2", builders.trigger(name="two"), builders.spec(model="other"))
        history = await work.history("flight-delay")
    assert [(run.id, run.trigger, run.spec_digest, run.state) for run in history.runs] == [
        ("run-1", builders.trigger(name="one"), builders.spec().digest, "queued")
    ]
    assert not history.ever_trained


async def test_an_event_is_handled_once(store: Database) -> None:
    async with handling(store)(builders.enveloped(builders.drift(), "e")) as work:
        await work.enqueue("run-1", builders.trigger(), builders.spec())
    with pytest.raises(AlreadyHandledError):
        async with handling(store)(builders.enveloped(builders.drift(), "e")):
            pytest.fail("it was handled before")


async def test_concurrent_findings_queue_one_run(store: Database) -> None:
    """Replicas decide at the same time. The lock of the model makes them decide one after the other."""
    async with handling(store)(builders.enveloped(builders.drift(), "spec")) as work:
        await work.save_spec(builders.spec_applied(builders.spec()))

    async def found(n: int) -> None:
        envelope = builders.enveloped(builders.drift(f"drift-{n}"), f"event-{n}")
        async with handling(store)(envelope) as work:
            await handlers.on_drift_detected(envelope, work)

    await asyncio.gather(*(found(n) for n in range(20)))
    assert await count(store, "runs") == 1
    assert await count(store, "outbox where topic = 'training.skipped'") == 1


async def trained_once(store: Database, spec: ModelSpec) -> None:
    """Save a spec, its first training with 1,000 rows, and 5,000 labels that arrived after it."""
    async with handling(store)(builders.enveloped(builders.drift(), "spec")) as work:
        await work.save_spec(builders.spec_applied(spec))
        await work.count_labels(spec.model, 1_000)
        await work.enqueue("run-1", builders.trigger("data", 1, "jan"), spec)
    queue = PostgresRunQueue(store, "worker", LEASE)
    run = await queue.claim(3)
    assert run is not None
    known = Training(1_000, 1_000, builders.START, AdaptationState(1_000))
    assert await queue.finish(run, Ended(builders.trained(run), known))
    async with handling(store)(builders.enveloped(builders.drift(), "labels")) as work:
        await work.count_labels(spec.model, 5_000)


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["triggers", "auto"])
async def test_a_thousand_findings_at_once_make_one_training(store: Database, policy: str) -> None:
    auto = policy == "auto"
    spec = builders.spec(retrain={"policy": policy, "on": [] if auto else ["drift"]})
    await trained_once(store, spec)
    handle = handlers.on_performance_suspected if auto else handlers.on_drift_detected
    # As many as replicas handle at the same time: more would wait for a connection, and not for the lock.
    replicas = asyncio.Semaphore(20)

    async def found(n: int) -> None:
        event = builders.suspected(f"drop-{n}") if auto else builders.drift(f"drift-{n}")
        envelope = builders.enveloped(event, f"event-{n}")
        async with replicas, handling(store)(envelope) as work:
            await handle(envelope, work)

    await asyncio.gather(*(found(n) for n in range(1_000)))
    assert await count(store, "runs where state = 'queued'") == 1
    assert await count(store, "runs") == 2
    assert await count(store, "outbox where topic = 'training.skipped'") == 1
    assert await count(store, "deferred") == (1 if auto else 0), "one drop waits for the end of the run"


async def test_a_request_that_is_being_deferred_while_its_spec_arrives_is_not_lost(store: Database) -> None:
    """Two connections: the handler of the request has found no spec, and has not committed yet."""
    request = builders.enveloped(builders.requested(), "asked")
    applied = builders.enveloped(builders.spec_applied(builders.spec()), "applied")

    async def apply() -> None:
        async with handling(store)(applied) as work:
            await handlers.on_spec_applied(applied, work)

    async with handling(store)(request) as work:
        await handlers.on_training_requested(request, work)
        applying = asyncio.create_task(apply())
        await waits_for_lock(store, applying)
    await applying
    run = await PostgresRunQueue(store, "worker", LEASE).claim(3)
    assert run is not None
    assert run.trigger.id == "by-hand"


async def test_a_spec_and_its_data_that_arrive_at_once_start_the_first_training(store: Database) -> None:
    """Two replicas: neither may miss what the other has not committed yet."""
    batch = builders.enveloped(builders.batch_accepted("jan", 31), "jan")
    applied = builders.enveloped(builders.spec_applied(builders.spec()), "applied")

    async def accept() -> None:
        async with handling(store)(batch) as work:
            await handlers.on_batch_accepted(batch, work)

    async with handling(store)(applied) as work:
        await handlers.on_spec_applied(applied, work)
        accepting = asyncio.create_task(accept())
        await waits_for_lock(store, accepting, "trainer.dataset.flights")
    await accepting
    run = await PostgresRunQueue(store, "worker", LEASE).claim(3)
    assert run is not None
    assert run.trigger.id == "flights/jan"


async def test_a_rolled_back_unit_of_work_leaves_nothing(store: Database) -> None:
    async def fails() -> None:
        async with store.transaction() as transaction:
            work = PostgresUnitOfWork(transaction)
            await work.enqueue("run-1", builders.trigger(), builders.spec())
            await work.publish(builders.drift())
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fails()
    assert (await count(store, "runs"), await count(store, "outbox")) == (0, 0)
