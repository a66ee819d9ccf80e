"""One suite of stories over the store in memory and over real PostgreSQL: handlers and commands, saved and told."""

from __future__ import annotations

import asyncio
import importlib.util
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest
from rondo.chassis.failures import AlreadyHandledError, PermanentError
from rondo.contracts.cloudevents import Envelope
from rondo.contracts.deployment import ReplicaChanged
from rondo.contracts.spec_file import parse_spec
from rondo.contracts.training import TrainingFailed, TrainingSkipped, TrainingStarted
from rondo.registry import audit, commands, handlers
from rondo.registry.errors import NotPassedError, RefusedSpecError, StaleRevisionError, UnknownModelError
from rondo.registry.ports import Archive, Work
from rondo.registry.postgres import PostgresStore
from rondo.registry.postgres_archive import PostgresArchive
from rondo.registry.timetable import Timetable
from rondo.registry.versions import Cause

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from rondo.chassis.postgres import Database
    from rondo.contracts.event import Event
    from rondo.contracts.spec import ModelSpec

Make = Callable[..., Any]
ANA = Cause("ana", "because")


class Backend(Archive, Protocol):
    """What a story needs: the ports, the unit of work of an event, and what was published."""

    def work(self) -> AbstractAsyncContextManager[Work]: ...
    def handling(self, envelope: Envelope[Any]) -> AbstractAsyncContextManager[Work]: ...
    async def published(self) -> list[tuple[str, str]]: ...


class OnPostgres(PostgresStore, PostgresArchive):
    """Both adapters, and a look into the outbox."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self._pool = database.pool

    async def published(self) -> list[tuple[str, str]]:
        """Return id and type of everything published, in order."""
        rows = await self._pool.fetch("select event_id, headers from outbox order by id")
        return [(row["event_id"], row["headers"]["ce_type"]) for row in rows]


def fake_store() -> Backend:
    path = Path(__file__).with_name("fake_store.py")
    spec = importlib.util.spec_from_file_location("fake_store", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    backend: Backend = module.FakeStore()
    return backend


@pytest.fixture(params=["memory", "postgres"])
def store(request: pytest.FixtureRequest) -> Backend:
    if request.param == "memory":
        return fake_store()
    return OnPostgres(request.getfixturevalue("registry_database"))


async def handle(store: Backend, event: Event, event_id: str) -> None:
    envelope = Envelope(event_id, "test", datetime.now(UTC), event)
    async with store.handling(envelope) as work:
        await handlers.routes().handlers[type(event)](envelope, work)


async def apply(store: Backend, spec: ModelSpec) -> commands.Applied:
    async with store.work() as work:
        return await commands.apply_spec(work, spec, ANA)


async def told(store: Backend) -> list[str]:
    return [kind.removeprefix("rondo.").removesuffix(".v1") for _, kind in await store.published()]


async def states(store: Backend) -> dict[int, str]:
    return {number: version.state for number, version in (await store.model("late")).versions.items()}


async def verdict(store: Backend) -> audit.Verdict:
    return audit.verify("late", *await store.audit("late"))


async def test_the_same_spec_twice_changes_nothing(store: Backend, spec: ModelSpec, spec_text: str) -> None:
    assert await apply(store, spec) == commands.Applied(1, changed=True)
    assert await apply(store, parse_spec(f"# the same\n{spec_text}")) == commands.Applied(1, changed=False)
    other = parse_spec(spec_text.replace("0.6", "0.65"))
    assert (await apply(store, other)).revision == 2
    assert (await apply(store, spec)).revision == 3
    assert await told(store) == ["SpecApplied"] * 3
    assert (await store.model("late")).spec == spec


async def test_a_refused_spec_leaves_nothing_behind(store: Backend, spec_text: str) -> None:
    with pytest.raises(RefusedSpecError, match=r"rollout.strategy: ab"):
        await apply(store, parse_spec(spec_text + "rollout: {strategy: ab}\n"))
    assert (await store.models(), await told(store)) == ([], [])


async def test_one_run_makes_one_version_however_often_it_is_told(
    store: Backend, spec: ModelSpec, trained: Make
) -> None:
    await apply(store, spec)
    await handle(store, trained("run-1"), "t1")
    with pytest.raises(AlreadyHandledError):
        await handle(store, trained("run-1"), "t1")
    await handle(store, trained("run-1"), "published twice")
    assert await told(store) == ["SpecApplied", "ModelRegistered", "ModelPromoted", "DeploymentChanged"]
    model = await store.model("late")
    assert (model.revision, model.last_version) == (1, 1)
    assert [run.state for run in await store.runs("late", 10)] == ["trained"]


async def test_versions_count_up_and_gates_decide(store: Backend, spec: ModelSpec, trained: Make) -> None:
    await apply(store, spec)
    await handle(store, trained("run-1", auc=0.7), "t1")
    await handle(store, trained("run-2", auc=0.6, champion=(1, 0.7)), "t2")
    await handle(store, trained("run-3", auc=0.8, champion=(1, 0.7)), "t3")
    assert await states(store) == {1: "standby", 2: "rejected", 3: "champion"}
    assert (await told(store))[4:6] == ["ModelRegistered", "ModelRejected"]
    model = await store.model("late")
    assert [(r.model_version, list(r.features)) for r in model.routes] == [(3, ["carrier", "distance"])]
    assert [d.revision for d in await store.deployments("late")] == [1, 2]
    assert (await verdict(store)).verified
    records, _, _ = await store.audit("late")
    assert [r.action for r in records] == [
        "spec_applied", "registered", "promoted", "registered", "rejected", "registered", "promoted",
    ]  # fmt: skip


async def test_a_candidate_of_nothing_we_know_goes_to_the_dead_letters(
    store: Backend, spec: ModelSpec, spec_text: str, trained: Make
) -> None:
    with pytest.raises(PermanentError, match="there is no model 'late': apply its spec first"):
        await handle(store, trained(), "t1")
    await apply(store, spec)
    foreign = trained("run-9", spec=parse_spec(spec_text.replace("0.6", "0.9")))
    with pytest.raises(PermanentError, match=r"a spec sha256:.* that was never applied here"):
        await handle(store, foreign, "t2")
    assert await told(store) == ["SpecApplied"]


async def test_promotion_and_rollback_by_hand_name_who_decided(store: Backend, spec: ModelSpec, trained: Make) -> None:
    await apply(store, spec)
    await handle(store, trained("run-1", auc=0.7), "t1")
    await handle(store, trained("run-2", auc=0.1, champion=(1, 0.7)), "t2")
    async with store.work() as work:
        with pytest.raises(NotPassedError):
            await commands.promote(work, "late", 2, ANA, None, override=False)
    async with store.work() as work:
        with pytest.raises(StaleRevisionError, match="at revision 1, not 7"):
            await commands.promote(work, "late", 2, ANA, 7, override=True)
    async with store.work() as work:
        assert (await commands.promote(work, "late", 2, ANA, 1, override=True)).revision == 2
    async with store.work() as work:
        assert (await commands.roll_back(work, "late", None, ANA, None)).revision == 3
    assert await states(store) == {1: "champion", 2: "rolled_back"}
    records, _, _ = await store.audit("late")
    assert [(r.action, r.decided_by) for r in records[-2:]] == [("promoted", "ana"), ("rolled_back", "ana")]
    assert [d.decided_by for d in await store.deployments("late")] == ["registry", "ana", "ana"]
    assert (await told(store))[-4:] == ["ModelPromoted", "DeploymentChanged", "ModelRolledBack", "DeploymentChanged"]


async def test_a_refused_champion_goes_back_once_whoever_refuses_it(
    store: Backend, spec: ModelSpec, trained: Make, day: datetime
) -> None:
    await apply(store, spec)
    await handle(store, trained("run-1", auc=0.7), "t1")
    await handle(store, trained("run-2", auc=0.8, champion=(1, 0.7)), "t2")
    digest = (await store.model("late")).routes[0].digest
    for replica, state in (("a", "available"), ("a", "refused"), ("b", "refused")):
        event = ReplicaChanged(
            model="late", replica=replica, model_version=2, digest=digest, revision=2, state=state, at=day
        )
        await handle(store, event, f"{replica}-{state}")
    assert (await told(store)).count("ModelRolledBack") == 1
    assert (await store.model("late")).served == (1, 2, 1)
    unknown = ReplicaChanged(
        model="gone", replica="a", model_version=1, digest=digest, revision=1, state="refused", at=day
    )
    await handle(store, unknown, "unknown")


async def test_a_run_that_found_too_little_data_ends_and_a_coalesced_trigger_ends_nothing(
    store: Backend, spec: ModelSpec, trained: Make
) -> None:
    event = trained("run-1")
    begin = TrainingStarted(
        model="late", run_id="run-1", trigger=event.trigger, spec_digest=spec.digest, started_at=event.started_at
    )
    other = event.trigger.model_copy(update={"id": "other"})
    coalesced = TrainingSkipped(model="late", trigger=other, reason="in_flight", detail="run-1 runs", run_id="run-1")
    ended = TrainingSkipped(
        model="late", trigger=event.trigger, reason="not_enough_data", detail="10 of 1,000 rows", run_id="run-1"
    )
    await apply(store, spec)
    await handle(store, begin, "begin")
    await handle(store, coalesced, "coalesced")
    assert [run.state for run in await store.runs("late", 10)] == ["running"]
    await handle(store, ended, "ended")
    assert [(run.state, run.detail) for run in await store.runs("late", 10)] == [("skipped", "10 of 1,000 rows")]


async def test_runs_are_remembered(store: Backend, spec: ModelSpec, trained: Make) -> None:
    event = trained("run-1")
    begin = TrainingStarted(
        model="late", run_id="run-1", trigger=event.trigger, spec_digest=spec.digest, started_at=event.started_at
    )
    failed = TrainingFailed(model="late", run_id="run-2", trigger=event.trigger, reason="no memory", attempts=3)
    await apply(store, spec)
    await handle(store, event, "end")
    await handle(store, begin, "begin, told late")
    await handle(store, failed, "failure")
    found = await store.runs("late", 10)
    assert [(run.run_id, run.state) for run in found] == [("run-2", "failed"), ("run-1", "trained")]
    assert found[1].finished_at == event.finished_at
    assert [run.run_id for run in await store.runs(None, 1)] == ["run-2"]
    assert await store.runs("other", 10) == []


async def test_training_by_hand_is_asked_for_and_audited(store: Backend, spec: ModelSpec, day: datetime) -> None:
    async with store.work() as work:
        with pytest.raises(UnknownModelError, match="there is no model 'late': apply its spec first"):
            await commands.train(work, "late", ANA, day)
    await apply(store, spec)
    async with store.work() as work:
        trigger = await commands.train(work, "late", ANA, day)
    assert (trigger.kind, trigger.at, trigger.detail) == ("manual", day, "because")
    assert (await store.published())[-1] == (trigger.id, "rondo.TrainingRequested.v1")
    assert (await store.audit("late"))[0][-1].action == "training_requested"


async def test_a_schedule_asks_once_with_two_replicas(store: Backend, spec_text: str) -> None:
    await apply(store, parse_spec(spec_text + 'retrain: {on: ["cron: 0 * * * *"]}\n'))
    later = datetime.now(UTC) + timedelta(hours=5)
    replicas = [Timetable(store, store, lambda: later) for _ in range(2)]
    await asyncio.gather(*(replica.turn() for replica in replicas))
    assert await told(store) == ["SpecApplied", "TrainingRequested"]
    due = later.replace(minute=0, second=0, microsecond=0)
    assert (await store.published())[1][0] == f"schedule/late/0 * * * */{due.isoformat()}"
    pause = await Timetable(store, store, lambda: due + timedelta(minutes=59, seconds=55)).turn()
    assert 0 < pause <= 5
    assert await told(store) == ["SpecApplied", "TrainingRequested"]


async def test_a_unit_of_work_that_fails_leaves_nothing(store: Backend, spec: ModelSpec) -> None:
    async def fail() -> None:
        async with store.work() as work:
            await commands.apply_spec(work, spec, ANA)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert (await store.models(), await told(store)) == ([], [])


async def test_figures_that_are_no_numbers_survive(store: Backend, spec: ModelSpec, trained: Make) -> None:
    await apply(store, spec)
    await handle(store, trained("run-1", auc=float("nan")), "t1")
    assert await states(store) == {1: "rejected"}
    assert (await verdict(store)).verified
