"""Commands are executed and audited, or refused, on the store in memory and on real PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from rondo.contracts.events.scoring import ScoringRequested
from rondo.contracts.spec.file import parse_spec
from rondo.contracts.spec.model import ModelSpec
from rondo.registry import commands
from rondo.registry.errors import (
    AlreadyServingError,
    NothingToRollBackToError,
    NotPassedError,
    RefusedSpecError,
    StaleRevisionError,
    UnknownModelError,
    UnknownVersionError,
)

from tests.registry.fakes import FakeStore
from tests.registry.scenarios import ANA, apply, audit_of, handle, published_types, states

if TYPE_CHECKING:
    from datetime import datetime

    from tests.registry.scenarios import Backend

Make = Callable[..., Any]


async def test_the_same_spec_twice_changes_nothing(store: Backend, spec: ModelSpec, spec_text: str) -> None:
    assert await apply(store, spec) == commands.Applied(1, changed=True)
    assert await apply(store, parse_spec(f"# the same\n{spec_text}")) == commands.Applied(1, changed=False)
    other = parse_spec(spec_text.replace("0.6", "0.65"))
    assert (await apply(store, other)).revision == 2
    assert (await apply(store, spec)).revision == 3
    assert await published_types(store) == ["SpecApplied"] * 3
    assert (await store.model("late")).spec == spec


async def test_a_refused_spec_leaves_nothing_behind(store: Backend, spec: ModelSpec) -> None:
    with pytest.raises(RefusedSpecError):
        await apply(store, ModelSpec.model_validate(spec.as_dict() | {"rollout": {"strategy": "gradual"}}))
    assert (list(await store.models()), await published_types(store)) == ([], [])


async def test_promotion_and_rollback_by_hand_name_the_actor(store: Backend, spec: ModelSpec, trained: Make) -> None:
    await apply(store, spec)
    await handle(store, trained("run-1", auc=0.7), "t1")
    await handle(store, trained("run-2", auc=0.1, champion=(1, 0.7)), "t2")
    async with store.work() as work:
        with pytest.raises(NotPassedError):
            await commands.promote(work, "late", 2, ANA, None, override=False)
    async with store.work() as work:
        with pytest.raises(StaleRevisionError):
            await commands.promote(work, "late", 2, ANA, 7, override=True)
    async with store.work() as work:
        assert (await commands.promote(work, "late", 2, ANA, 1, override=True)).revision == 2
    async with store.work() as work:
        assert (await commands.roll_back(work, "late", None, ANA, None)).revision == 3
    assert await states(store) == {1: "champion", 2: "rolled_back"}
    records = await audit_of(store, "late")
    assert [(r.action, r.decided_by) for r in records[-2:]] == [("promoted", "ana"), ("rolled_back", "ana")]
    assert [d.decided_by for d in await store.deployments("late")] == ["registry", "ana", "ana"]
    assert (await published_types(store))[-4:] == [
        "ModelPromoted",
        "DeploymentChanged",
        "ModelRolledBack",
        "DeploymentChanged",
    ]


async def test_a_training_by_hand_is_requested_and_audited(store: Backend, spec: ModelSpec, day: datetime) -> None:
    async with store.work() as work:
        with pytest.raises(UnknownModelError):
            await commands.train(work, "late", ANA, day)
    await apply(store, spec)
    async with store.work() as work:
        trigger = await commands.train(work, "late", ANA, day)
    assert (trigger.kind, trigger.at, trigger.detail) == ("manual", day, "because")
    assert (await store.published())[-1] == (trigger.id, "rondo.TrainingRequested.v1")
    assert (await audit_of(store, "late"))[-1].action == "training_requested"


async def test_a_registration_is_requested_and_audited_once_it_is_another_model(
    store: Backend, spec: ModelSpec, day: datetime, trained: Make
) -> None:
    given = f"sha256:{'f' * 64}"
    async with store.work() as work:
        with pytest.raises(UnknownModelError):
            await commands.register(work, "late", given, ANA, day)
    await apply(store, spec)
    async with store.work() as work:
        trigger = await commands.register(work, "late", given, ANA, day)
    assert (trigger.kind, trigger.artifact, trigger.detail) == ("registration", given, "because")
    assert (await store.published())[-1] == (trigger.id, "rondo.TrainingRequested.v1")
    entry = (await audit_of(store, "late"))[-1]
    assert (entry.action, json.loads(entry.evidence)["trigger"]["artifact"]) == ("registration_requested", given)

    champion = trained("run-1", auc=0.7, kind="registration", artifact=given)
    await handle(store, champion, "t1")
    for serves in (given, champion.digest):
        async with store.work() as work:
            with pytest.raises(AlreadyServingError) as refused:
                await commands.register(work, "late", serves, ANA, day)
        assert (refused.value.code, refused.value.version) == ("already_serving", 1)
    await apply(store, ModelSpec.model_validate(spec.as_dict() | {"prediction": {"threshold": 0.3}}))
    async with store.work() as work:
        assert await commands.register(work, "late", given, ANA, day)


async def test_a_unit_of_work_that_fails_leaves_nothing(store: Backend, spec: ModelSpec) -> None:
    async def fail() -> None:
        async with store.work() as work:
            await commands.apply_spec(work, spec, ANA)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert (list(await store.models()), await published_types(store)) == ([], [])


async def test_a_removed_model_is_withdrawn_and_its_versions_and_audit_log_stay(
    store: Backend, spec: ModelSpec, trained: Make
) -> None:
    await apply(store, spec)
    await handle(store, trained("run-1", auc=0.7), "t1")
    await handle(store, trained("run-2", auc=0.8, champion=(1, 0.7)), "t2")
    async with store.work() as work:
        with pytest.raises(StaleRevisionError):
            await commands.remove(work, "late", ANA, 7)
    async with store.work() as work:
        assert await commands.remove(work, "late", ANA, 2) == 2
    assert (await published_types(store))[-4:] == [
        "ModelRetired", "ModelRetired", "DeploymentChanged", "ModelRemoved",
    ]  # fmt: skip
    assert (list(await store.models()), list(await store.specs())) == ([], [])
    with pytest.raises(UnknownModelError):
        await store.model("late")
    assert [each.version.state for each in await store.versions("late", 0, 10)] == ["retired", "retired"]
    assert [len(d.routes) for d in await store.deployments("late")] == [1, 1, 0]
    last = (await audit_of(store, "late"))[-1]
    assert (last.action, last.decided_by) == ("removed", "ana")
    async with store.work() as work:
        with pytest.raises(UnknownModelError):
            await commands.remove(work, "late", ANA, None)


async def test_a_model_that_is_applied_again_continues_its_counters_and_cannot_go_back_before_its_removal(
    store: Backend, spec: ModelSpec, trained: Make
) -> None:
    await apply(store, spec)
    await handle(store, trained("run-1", auc=0.7), "t1")
    async with store.work() as work:
        await commands.remove(work, "late", ANA, None)
    assert (await apply(store, spec)).revision == 3
    model = await store.model("late")
    assert (model.champion, model.served, model.revision) == (None, (), 2)
    await handle(store, trained("run-2", auc=0.8), "t2")
    assert await states(store) == {1: "retired", 2: "champion"}
    async with store.work() as work:
        with pytest.raises(NothingToRollBackToError):
            await commands.roll_back(work, "late", None, ANA, None)


async def test_a_scoring_names_its_version_and_is_the_same_job_again(
    store: Backend, spec: ModelSpec, trained: Make, day: datetime
) -> None:
    await apply(store, spec)
    await handle(store, trained("run-1", auc=0.7), "t1")
    async with store.work() as work:
        with pytest.raises(UnknownVersionError):
            await commands.score(work, "late", 2, ("flights", 3), ANA, day)
        with pytest.raises(UnknownModelError):
            await commands.score(work, "early", 1, ("flights", 3), ANA, day)
    jobs = set()
    for data in (("flights", 3), ("flights", 3), ("flights", 4), ("trains", 3)):
        async with store.work() as work:
            jobs.add(await commands.score(work, "late", 1, data, ANA, day))
    assert len(jobs) == 3
    assert (await published_types(store)).count("ScoringRequested") == 4
    if isinstance(store, FakeStore):
        assert {event.task for _, event in store.state.published if isinstance(event, ScoringRequested)} == {"binary"}
    entries = [entry for entry in await audit_of(store, "late") if entry.action == "scoring_requested"]
    assert len(entries) == 4
