"""Handlers, on the store in memory and on real PostgreSQL."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from rondo.chassis.errors import AlreadyHandledError, PermanentError, UnavailableError
from rondo.contracts.events.cloudevents import Envelope
from rondo.contracts.events.training import (
    TrainingFailed,
    TrainingProgressed,
    TrainingSkipped,
    TrainingStarted,
    Trigger,
)
from rondo.contracts.spec.file import parse_spec
from rondo.registry import commands
from rondo.registry.audit.verifier import AuditVerifier
from rondo.registry.errors import SameArtifactError, UnknownModelError, UnknownSpecError
from rondo.registry.handlers import on_model_trained

from tests.registry.builders import onnx_model
from tests.registry.scenarios import ANA, GONE, FakeArtifacts, apply, audit_of, handle, published_types, runs_of, states
from tests.support.evidence import stored_artifact

if TYPE_CHECKING:
    from rondo.contracts.spec.model import ModelSpec
    from rondo.registry.audit.hash_chain import Verification

    from tests.registry.scenarios import Backend

Make = Callable[..., Any]


async def verify_audit(store: Backend) -> Verification:
    return await AuditVerifier(store).verify("late")


async def test_one_run_makes_one_version_however_often_it_is_published(
    store: Backend, spec: ModelSpec, trained: Make
) -> None:
    await apply(store, spec)
    await handle(store, trained("run-1"), "t1")
    with pytest.raises(AlreadyHandledError):
        await handle(store, trained("run-1"), "t1")
    await handle(store, trained("run-1"), "published twice")
    assert await published_types(store) == ["SpecApplied", "ModelRegistered", "ModelPromoted", "DeploymentChanged"]
    model = await store.model("late")
    assert (model.revision, model.last_version) == (1, 1)
    assert [run.state for run in await runs_of(store, "late")] == ["trained"]


async def test_versions_count_up_and_gates_decide(store: Backend, spec: ModelSpec, trained: Make) -> None:
    await apply(store, spec)
    await handle(store, trained("run-1", auc=0.7), "t1")
    await handle(store, trained("run-2", auc=0.6, champion=(1, 0.7)), "t2")
    await handle(store, trained("run-3", auc=0.8, champion=(1, 0.7)), "t3")
    assert await states(store) == {1: "standby", 2: "rejected", 3: "champion"}
    assert (await published_types(store))[4:6] == ["ModelRegistered", "ModelRejected"]
    model = await store.model("late")
    assert [(r.model_version, list(r.features)) for r in model.routes] == [(3, ["carrier", "distance"])]
    assert [d.revision for d in await store.deployments("late")] == [1, 2]
    assert (await verify_audit(store)).verified
    records = await audit_of(store, "late")
    assert [r.action for r in records] == [
        "spec_applied", "registered", "promoted", "registered", "rejected", "registered", "promoted",
    ]  # fmt: skip


async def test_a_candidate_of_an_unknown_model_or_spec_is_a_permanent_error(
    store: Backend, spec: ModelSpec, spec_text: str, trained: Make
) -> None:
    with pytest.raises(PermanentError) as of_model:
        await handle(store, trained(), "t1")
    assert isinstance(of_model.value.__cause__, UnknownModelError)
    assert of_model.value.__cause__.model == "late"
    await apply(store, spec)
    foreign = trained("run-9", spec=parse_spec(spec_text.replace("0.6", "0.9")))
    with pytest.raises(PermanentError) as of_spec:
        await handle(store, foreign, "t2")
    assert isinstance(of_spec.value.__cause__, UnknownSpecError)
    assert of_spec.value.__cause__.digest == foreign.summary.spec_digest
    assert await published_types(store) == ["SpecApplied"]


async def test_a_run_that_finds_too_little_data_ends_and_a_coalesced_trigger_ends_nothing(
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
    assert [run.state for run in await runs_of(store, "late")] == ["skipped", "running"]
    await handle(store, ended, "ended")
    latest = (await runs_of(store, "late"))[0]
    assert (latest.run_id, latest.state, latest.reason, latest.detail) == (
        "run-1", "skipped", "not_enough_data", "not_enough_data: 10 of 1,000 rows",
    )  # fmt: skip
    assert latest.finished_at is not None


async def test_runs_are_recorded(store: Backend, spec: ModelSpec, trained: Make) -> None:
    event = trained("run-1")
    begin = TrainingStarted(
        model="late", run_id="run-1", trigger=event.trigger, spec_digest=spec.digest, started_at=event.started_at
    )
    failed = TrainingFailed(model="late", run_id="run-2", trigger=event.trigger, reason="no memory", attempts=3)
    trial = TrainingProgressed(
        model="late", run_id="run-1", trigger=event.trigger, trials=3, planned=40, metric="roc_auc", best=0.7
    )
    await apply(store, spec)
    await handle(store, trial, "trial")
    assert [run.detail for run in await runs_of(store, "late")] == ["trial 3 of 40, best ROC AUC 0.700"]
    await handle(store, event, "end")
    await handle(store, begin, "begin, published late")
    await handle(store, failed, "failure")
    found = await runs_of(store, "late")
    assert [(run.run_id, run.state) for run in found] == [("run-2", "failed"), ("run-1", "trained")]
    assert found[1].finished_at == event.finished_at
    assert found[0].finished_at is not None
    assert found[1].detail == ""
    assert [each.run.run_id for each in await store.runs(None, None, 1)] == ["run-2"]
    assert await runs_of(store, "other") == []


async def test_a_metric_of_nan_can_be_stored(store: Backend, spec: ModelSpec, trained: Make) -> None:
    await apply(store, spec)
    await handle(store, trained("run-1", auc=float("nan")), "t1")
    assert await states(store) == {1: "rejected"}
    assert (await verify_audit(store)).verified


async def test_a_candidate_compared_with_a_stale_champion_is_trained_once_more(
    store: Backend, spec: ModelSpec, trained: Make
) -> None:
    await apply(store, spec)
    await handle(store, trained("run-1", auc=0.7), "t1")
    await handle(store, trained("run-2", auc=0.75, champion=(1, 0.7)), "t2")
    late = trained("run-3", auc=0.8, champion=(1, 0.7))
    await handle(store, late, "t3")
    assert (await published_types(store))[-3:] == ["ModelRegistered", "ModelRejected", "TrainingRequested"]
    assert await states(store) == {1: "standby", 2: "champion", 3: "rejected"}
    records = await audit_of(store, "late")
    assert [r.action for r in records[-2:]] == ["rejected", "training_requested"]
    assert json.loads(records[-2].evidence)["reason"] == "stale_champion"
    trigger = Trigger.model_validate(json.loads(records[-1].evidence)["trigger"])
    assert (trigger.id, trigger.kind, trigger.at) == ("stale-champion/run-3", "manual", late.trigger.at)

    again = trained("run-4", auc=0.8, champion=(1, 0.7)).model_copy(update={"trigger": trigger})
    await handle(store, again, "t4")
    assert (await published_types(store)).count("TrainingRequested") == 1


async def test_a_candidate_without_usable_evidence_is_a_rejected_version(
    store: Backend, spec: ModelSpec, trained: Make
) -> None:
    await apply(store, spec)
    await handle(store, trained("run-1").model_copy(update={"evidence": GONE}), "t1")
    assert await states(store) == {1: "rejected"}
    gates = (await store.version("late", 1)).candidate.gates
    assert gates[-1].gate == "evidence.usable"
    assert gates[-1].message == "the evidence can't be used: it is not in the artifact store; train again"
    assert not gates[-1].passed
    await handle(store, trained("run-2"), "t2")
    assert await states(store) == {1: "rejected", 2: "champion"}


async def test_a_candidate_waits_for_an_unavailable_artifact_store(
    store: Backend, spec: ModelSpec, trained: Make
) -> None:
    class Unavailable(FakeArtifacts):
        async def get(self, digest: str) -> bytes:
            raise UnavailableError(digest, "stopped by the test")

    await apply(store, spec)
    event = trained("run-1")
    envelope = Envelope("t1", "test", event.finished_at, event)
    with pytest.raises(UnavailableError):
        async with store.handling(envelope) as work:
            await on_model_trained(envelope, work, Unavailable())
    assert await states(store) == {}
    await handle(store, event, "t1")
    assert await states(store) == {1: "champion"}


async def test_a_champion_without_artifact_blocks_no_candidate(store: Backend, spec: ModelSpec, trained: Make) -> None:
    await apply(store, spec)
    first = trained("run-1", auc=0.7)
    await handle(store, first, "t1")
    await handle(store, trained("run-2", auc=0.55), "t2", first.digest)
    await handle(store, trained("run-3", auc=0.65), "t3", first.digest)
    assert await states(store) == {1: "standby", 2: "rejected", 3: "champion"}
    gates = {gate.gate: gate for gate in (await store.version("late", 3)).candidate.gates}
    note = gates["roc_auc.not_worse_than_champion"]
    assert note.passed
    assert note.message.startswith(f"version 1 serves, and can't be scored: there is no artifact {first.digest}: ")


async def test_a_candidate_whose_artifact_cannot_be_served_is_rejected(
    store: Backend, spec: ModelSpec, trained: Make
) -> None:
    await apply(store, spec)
    missing, short = trained("run-1"), trained("run-2").model_copy(update={"size": 1})
    await handle(store, missing, "t1", missing.digest)
    await handle(store, short, "t2")
    assert await states(store) == {1: "rejected", 2: "rejected"}
    for number, why in ((1, "there is no artifact"), (2, "1 were announced")):
        gates = {gate.gate: gate for gate in (await store.version("late", number)).candidate.gates}
        assert not gates["artifact.sound"].passed
        message = gates["artifact.sound"].message
        assert message.startswith("the artifact can't be served: ")
        assert message.endswith("; train again")
        assert why in message


async def test_a_candidate_of_another_task_than_the_specs_is_rejected(
    store: Backend, spec: ModelSpec, trained: Make
) -> None:
    await apply(store, spec)
    content = onnx_model("other", "regression")
    changed = {"digest": stored_artifact(content), "size": len(content)}
    await handle(store, trained("run-1").model_copy(update=changed), "t1")
    gates = {gate.gate: gate for gate in (await store.version("late", 1)).candidate.gates}
    assert not gates["artifact.sound"].passed
    assert re.search("task regression.* binary", gates["artifact.sound"].message)


async def test_a_training_that_made_the_champions_artifact_again_is_rejected_however_often(
    store: Backend, spec: ModelSpec, trained: Make
) -> None:
    await apply(store, spec)
    first = trained("run-1", auc=0.7)
    await handle(store, first, "t1")
    for n in range(2, 5):
        await handle(store, trained(f"run-{n}", auc=0.7, champion=(1, 0.7), digest=first.digest), f"t{n}")
    assert await states(store) == {1: "champion", 2: "rejected", 3: "rejected", 4: "rejected"}
    assert (await published_types(store)).count("ModelPromoted") == 1
    failed = [gate.gate for gate in (await store.version("late", 4)).candidate.gates if not gate.passed]
    assert failed == ["artifact.new"]
    async with store.work() as work:
        with pytest.raises(SameArtifactError):
            await commands.promote(work, "late", 2, ANA, None, override=True)


async def test_every_decision_not_to_train_is_listed_once_per_trigger_with_the_latest_reason(
    store: Backend, spec: ModelSpec, trained: Make
) -> None:
    await apply(store, spec)
    trigger = trained("run-1").trigger
    other = trigger.model_copy(update={"id": "other"})
    for number, (cause, reason) in enumerate(
        ((trigger, "cooldown"), (other, "not_subscribed"), (trigger, "breaker_open"), (trigger, "breaker_open"))
    ):
        skip = TrainingSkipped(model="late", trigger=cause, reason=reason, detail=f"decision {number}")
        await handle(store, skip, f"s{number}")
    found = await runs_of(store, None)
    assert [(run.trigger.id, run.state, run.reason, run.detail) for run in found] == [
        (trigger.id, "skipped", "breaker_open", "breaker_open: decision 3"),
        ("other", "skipped", "not_subscribed", "not_subscribed: decision 1"),
    ]  # fmt: skip
    assert all(run.run_id.startswith("skip-") and run.finished_at for run in found)


async def test_the_pages_of_the_runs_have_every_run_once(store: Backend, spec: ModelSpec, trained: Make) -> None:
    await apply(store, spec)
    for number in range(5):
        failed = TrainingFailed(
            model="late", run_id=f"run-{number}", trigger=trained().trigger, reason="no memory", attempts=3
        )
        await handle(store, failed, f"f{number}")
    pages, position = [], None
    while page := await store.runs("late", position, 2):
        pages.append([each.run.run_id for each in page])
        position = page[-1].position
    assert pages == [["run-4", "run-3"], ["run-2", "run-1"], ["run-0"]]


async def test_a_candidate_of_a_removed_model_is_ignored(store: Backend, spec: ModelSpec, trained: Make) -> None:
    await apply(store, spec)
    async with store.work() as work:
        await commands.remove(work, "late", ANA, None)
    await handle(store, trained("run-1"), "t1")
    assert ([run.state for run in await runs_of(store, "late")], await published_types(store)) == (
        ["trained"], ["SpecApplied", "ModelRemoved"],
    )  # fmt: skip
