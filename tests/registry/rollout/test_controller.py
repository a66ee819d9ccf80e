"""Rollouts from the candidate to their end, on the store in memory and on real PostgreSQL."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from rondo.chassis.errors import UnavailableError
from rondo.contracts.events.deployment import DeploymentChanged, RolloutChanged
from rondo.contracts.events.monitoring import ComparedArms, ComparedMinute, PairedBlock, RolloutEvidence
from rondo.registry import commands
from rondo.registry.errors import NoRolloutError, RolloutStateError
from rondo.registry.model.rollouts import Rollout
from rondo.registry.rollout.rollout_view import rollout_view

from tests.registry.fakes import FakeStore
from tests.registry.rollout.scenario import CANARY, HOUR, NOW, Make, RolloutScenario
from tests.registry.scenarios import (
    ANA,
    audit_of,
    handle,
    published_types,
    replica_report,
    states,
)

if TYPE_CHECKING:
    from tests.registry.scenarios import Backend


class Killed(Exception):  # noqa: N818 - a signal in place of an end of the process
    """The process ends within a decision."""


async def test_a_candidate_that_is_not_worse_takes_its_steps_and_becomes_the_champion(
    platform: RolloutScenario, spec_text: str
) -> None:
    await platform.begin(f"{spec_text}monitor: {{window: 10m}}\n", CANARY)
    assert await platform.routes() == [(2, "canary", 0.1), (1, "primary", 0.9)]
    assert await states(platform.store) == {1: "champion", 2: "rolling_out"}
    await platform.compare(-0.03)
    assert await platform.routes() == [(2, "canary", 0.5), (1, "primary", 0.5)]
    await platform.compare(-0.03)
    assert await platform.routes() == [(2, "primary", 1.0), (1, "shadow", 0.0)]
    assert await states(platform.store) == {1: "standby", 2: "champion"}
    # Two hours, and those until the outcomes of the last requests count: a block and a window.
    await platform.tick(timedelta(hours=3, minutes=9))
    assert (await platform.rollout()).state == "watching"
    await platform.tick(timedelta(minutes=1))
    assert await platform.routes() == [(2, "primary", 1.0)]
    assert (await platform.rollout()).state == "promoted"
    actions = [record.action for record in await audit_of(platform.store, "late")]
    assert actions[-5:] == ["rollout_waits", "rollout_began", "rollout_step", "promoted", "rollout_ended"]
    await platform.tick(timedelta(hours=9))
    assert len(await audit_of(platform.store, "late")) == len(actions)


async def test_a_worse_candidate_goes_back_by_itself_with_its_answers_in_the_audit_log(
    platform: RolloutScenario, spec_text: str
) -> None:
    await platform.begin(spec_text, CANARY)
    await platform.compare(0.05)
    assert await platform.routes() == [(1, "primary", 1.0)]
    assert await states(platform.store) == {1: "champion", 2: "rolled_back"}
    last = (await audit_of(platform.store, "late"))[-1]
    assert (last.action, json.loads(last.evidence)["verdict"], json.loads(last.evidence)["evidence"]["answers"]) == (
        "rollout_ended", "worse", 3_000,
    )  # fmt: skip
    assert rollout_view(await platform.rollout()).share == 0
    types = await published_types(platform.store)
    assert types[-2:] == ["DeploymentChanged", "RolloutChanged"]


async def test_within_the_rollback_window_a_champion_that_turns_out_worse_goes_back(
    platform: RolloutScenario, spec_text: str
) -> None:
    await platform.begin(spec_text, CANARY)
    await platform.command("promote")
    assert await platform.routes() == [(2, "primary", 1.0), (1, "shadow", 0.0)]
    await platform.compare(0.05, turned=True)
    assert await platform.routes() == [(1, "primary", 1.0)]
    assert (await platform.rollout()).verdict == "worse"
    assert "ModelRolledBack" in await published_types(platform.store)


async def test_errors_of_the_candidate_alone_go_back(platform: RolloutScenario, spec_text: str) -> None:
    await platform.begin(spec_text, CANARY)
    await platform.compare(0.0, blocks=0, other_errors=20)
    assert (await platform.rollout()).verdict == "errors"


async def test_a_first_version_and_replace_take_over_at_once(platform: RolloutScenario, spec_text: str) -> None:
    await platform.begin(spec_text, "{strategy: replace}")
    assert await platform.routes() == [(2, "primary", 1.0)]
    assert await platform.store.rollout("late") is None


async def test_people_pause_resume_and_abort(platform: RolloutScenario, spec_text: str) -> None:
    await platform.begin(spec_text, CANARY)
    await platform.command("pause")
    await platform.compare(-0.03)
    assert (await platform.rollout()).state == "paused"
    with pytest.raises(RolloutStateError) as refused:
        await platform.command("pause")
    assert refused.value.allowed == ("resume", "promote", "abort")
    assert str(refused.value).endswith("is paused, so it can't pause: it can resume or promote or abort")
    await platform.command("resume")
    await platform.tick()
    assert (await platform.rollout()).step == 1
    await platform.command("abort")
    assert await platform.routes() == [(1, "primary", 1.0)]
    last = (await audit_of(platform.store, "late"))[-1]
    assert (last.decided_by, json.loads(last.evidence)["reason"]) == ("ana", "seen enough")
    with pytest.raises(NoRolloutError) as none:
        await platform.command("resume")
    assert str(none.value).startswith("late has no active rollout: a version")


async def test_a_decision_by_hand_supersedes_a_rollout(platform: RolloutScenario, spec_text: str) -> None:
    await platform.begin(spec_text, CANARY)
    async with platform.store.work() as work:
        found = await platform.rollout()
        await work.save_rollout(found.model_copy(update={"inconclusive_at": found.since}))
        await commands.promote(work, "late", 2, ANA, None, override=False)
    await platform.tick()
    # Its event has the time of this decision, and not of the verdict before.
    assert ((ended := await platform.rollout()).state, ended.inconclusive_at) == ("superseded", None)
    assert await platform.routes() == [(2, "primary", 1.0)]


async def test_a_removed_model_has_no_rollout(platform: RolloutScenario, spec_text: str) -> None:
    await platform.begin(spec_text, CANARY)
    async with platform.store.work() as work:
        await commands.remove(work, "late", ANA, None)
    await platform.tick()
    assert (await platform.rollout()).state == "superseded"


async def test_a_candidate_that_a_replica_cannot_load_goes_back(platform: RolloutScenario, spec_text: str) -> None:
    await platform.begin(spec_text, CANARY)
    model = await platform.store.model("late")
    report = replica_report("r1", "refused", 2, model.revision, model.versions[2].digest, NOW)
    await handle(platform.store, report, "report")
    assert await platform.routes() == [(1, "primary", 1.0)]
    reason = (await audit_of(platform.store, "late"))[-1].evidence
    assert "refused version 2: its folder is empty" in reason
    assert "its folder is empty" in (await audit_of(platform.store, "late"))[-1].evidence


async def test_evidence_about_other_versions_changes_nothing(platform: RolloutScenario, spec_text: str) -> None:
    await platform.begin(spec_text, CANARY)
    event = RolloutEvidence(model="late", primary=7, other=8, minutes=(ComparedMinute(start=NOW, other_errors=99),))
    await handle(platform.store, event, "of others")
    await handle(platform.store, event.model_copy(update={"model": "unknown"}), "of none")
    assert (await platform.rollout()).gathered.scored == 0


async def test_blocks_are_those_of_the_plan_and_count_when_they_are_complete(
    platform: RolloutScenario, spec_text: str
) -> None:
    await platform.begin(spec_text, CANARY)
    parts = tuple(PairedBlock(start=NOW + timedelta(minutes=20 * n), rows=10, difference=0.01 * n) for n in range(5))
    for until, blocks in ((NOW + timedelta(minutes=100), 1), (NOW + timedelta(hours=2), 2)):
        event = RolloutEvidence(
            model="late", primary=1, other=2, blocks=parts if blocks == 1 else (), complete_until=until
        )
        await handle(platform.store, event, str(uuid4()))
        assert (await platform.rollout()).gathered.moments.count == blocks
    assert (await platform.rollout()).gathered.moments.mean == pytest.approx((0.01 + 0.035) / 2)


async def test_where_outcomes_depend_on_the_answer_each_version_is_compared_by_its_own(
    platform: RolloutScenario, spec_text: str
) -> None:
    await platform.begin(spec_text, CANARY.replace("}", ", outcome: depends_on_answer}"))
    arms = [
        ComparedArms(start=NOW + timedelta(hours=hour, minutes=20 * n), other_rows=10 * n, other_loss=0.3,
                     primary_rows=10, primary_loss=0.1 * n)
        for hour in range(3) for n in range(2)
    ]  # fmt: skip
    # Of the last hour there are rows of the champion alone.
    arms[-1] = arms[-1].model_copy(update={"other_rows": 0})
    event = RolloutEvidence(model="late", primary=1, other=2, arms=tuple(arms), complete_until=NOW + 9 * HOUR)
    paired = (PairedBlock(start=NOW, rows=99, difference=0.9),)
    await handle(platform.store, event.model_copy(update={"blocks": paired}), "arms")
    gathered = (await platform.rollout()).gathered
    assert (gathered.moments.count, gathered.outcomes) == (2, 60)
    assert gathered.moments.mean == pytest.approx(0.3 - 0.05)
    await handle(platform.store, event.model_copy(update={"primary": 2, "other": 1}), "after a promotion")
    assert (await platform.rollout()).gathered.moments.count == 2


async def test_a_deployment_says_what_both_versions_score(trained: Make, spec_text: str) -> None:
    store = FakeStore()
    platform = RolloutScenario(store, trained)
    await platform.begin(spec_text, CANARY.replace("}", ", evidence: canary}"))
    events = [event for _, event in store.state.published]
    deployed = [each.evidence for each in events if isinstance(each, DeploymentChanged)]
    assert deployed == [None, "canary"]
    await platform.command("promote")
    last = [event for _, event in store.state.published if isinstance(event, DeploymentChanged | RolloutChanged)]
    assert [getattr(each, "evidence", "") for each in last[-2:]] == ["all", ""]


TIMES = "step_length: 1h, min_answers: 100, rollback_window: 2h"
BOTH = [(2, "shadow", 0.0), (1, "primary", 1.0)]
SWITCHED = [(2, "primary", 1.0), (1, "shadow", 0.0)]


def shared(share: float) -> list[tuple[int, str, float]]:
    """Return the routes with which the candidate answers a share of the requests."""
    return [(2, "canary", share), (1, "primary", 1 - share)]


@pytest.mark.medium
@pytest.mark.parametrize(
    ("strategy", "begun", "equal", "better"),
    [
        ("canary", shared(0.05), ("running", shared(0.25)), ("running", shared(0.25))),
        ("blue_green", BOTH, ("watching", SWITCHED), ("watching", SWITCHED)),
        ("shadow", BOTH, ("asking", BOTH), ("asking", BOTH)),
        ("ab", shared(0.5), ("running", shared(0.5)), ("watching", SWITCHED)),
    ],
)  # fmt: skip
@pytest.mark.parametrize("difference", [0.0, -0.03])
async def test_the_routes_of_each_strategy(
    platform: RolloutScenario, spec_text: str, strategy: str, begun: Any, equal: Any, better: Any, difference: float
) -> None:
    await platform.begin(spec_text, f"{{strategy: {strategy}, {TIMES}}}")
    assert await platform.routes() == begun
    assert (await published_types(platform.store))[-2:] == ["DeploymentChanged", "RolloutChanged"]
    await platform.compare(difference, blocks=1_500)
    state, routes = better if difference else equal
    assert ((await platform.rollout()).state, await platform.routes()) == (state, routes)
    if state != "watching":
        await platform.command("promote")
    assert await platform.routes() == SWITCHED
    # The instant way back: the version before has been loaded all the time.
    await platform.command("abort")
    assert await platform.routes() == [(1, "primary", 1.0)]
    assert await states(platform.store) == {1: "champion", 2: "rolled_back"}


async def test_a_canary_whose_outcomes_are_late_answers_nothing_until_the_first_verdict(
    platform: RolloutScenario, spec_text: str
) -> None:
    late = spec_text.replace("label: late}", "label: late, label_delay: 3h}")
    await platform.begin(late, f"{{strategy: canary, {TIMES}}}")
    assert await platform.routes() == BOTH
    await platform.compare(-0.03)
    assert await platform.routes() == [(2, "canary", 0.05), (1, "primary", 0.95)]


async def test_the_audit_log_has_the_evidence_of_each_verdict(platform: RolloutScenario, spec_text: str) -> None:
    await platform.begin(spec_text, CANARY)
    expected = []
    for _ in range(2):
        await platform.compare(-0.03)
        expected.append((await platform.rollout()).gathered)
    found = [(record.action, json.loads(record.evidence)) for record in await audit_of(platform.store, "late")]
    decided = [(action, evidence) for action, evidence in found if action in ("rollout_step", "promoted")][-2:]
    assert [(action, each["verdict"], each["share"]) for action, each in decided] == [
        ("rollout_step", "better", 0.5), ("promoted", "better", 1.0),
    ]  # fmt: skip
    for (_, evidence), gathered in zip(decided, expected, strict=True):
        figures = evidence["evidence"]
        assert (figures["answers"], figures["outcomes"], figures["blocks"]) == (
            gathered.answers, gathered.outcomes, gathered.moments.count,
        )  # fmt: skip
        assert figures["mean_difference"] == pytest.approx(-0.03, abs=0.001)
    # The evidence for the candidate begins again after each step.
    assert decided[0][1]["evidence"]["log_e_better"] > 3


async def test_a_view_has_what_is_needed_for_each_verdict(platform: RolloutScenario, spec_text: str) -> None:
    await platform.begin(spec_text, CANARY)
    await platform.compare(0.0, blocks=10)
    shown = rollout_view(await platform.rollout())
    assert (shown.share, shown.step, shown.blocks, shown.outcomes, shown.answers) == (0.1, 1, 10, 500, 3_000)
    assert {each.verdict: round(each.needed, 2) for each in shown.evidence} == {
        "better": 3.0, "not_worse": 3.0, "worse": 3.51, "errors": 4.61, "slow": 5.3, "disagreement": 5.3,
    }  # fmt: skip


async def test_a_view_has_the_decisions_of_its_rollout_and_what_happens_next(
    platform: RolloutScenario, spec_text: str
) -> None:
    await platform.begin(f"{spec_text}monitor: {{window: 10m}}\n", CANARY)
    shown = await platform.view()
    assert (shown.false_rollback_rate, shown.min_answers) == (0.05, 100)
    # The end of the step, and that of `max_wait`, after the outcomes of its first requests: a block and a window.
    ends = NOW + timedelta(hours=2, minutes=10)
    assert (shown.ends, shown.then, shown.asks) == (ends, "wait", ends + timedelta(days=7) - HOUR)
    await platform.tick(ends - NOW)
    await platform.command("pause")
    paused = await platform.view()
    assert (paused.ends, paused.then, paused.asks) == (None, None, None)
    await platform.command("resume")
    await platform.compare(-0.03)
    await platform.compare(-0.03)
    shown = await platform.view()
    assert (shown.ends, shown.then) == (platform.now + timedelta(hours=3, minutes=10), "end")
    await platform.tick(timedelta(days=1))
    known = [(each.action, each.by, each.state, each.step, each.share, each.verdict) for each in
             (await platform.view()).decisions]  # fmt: skip
    assert known == [
        ("rollout_began", "registry", "running", 1, 0.1, ""),
        ("rollout_state", "registry", "running", 1, 0.1, "inconclusive"),
        ("rollout_state", "ana", "paused", 1, 0.1, ""),
        ("rollout_state", "ana", "running", 1, 0.1, ""),
        ("rollout_step", "registry", "running", 2, 0.5, "better"),
        ("promoted", "registry", "watching", 2, 1.0, "better"),
        ("rollout_ended", "registry", "promoted", 2, 1.0, ""),
    ]
    decisions = (await platform.view()).decisions
    assert [each.reason for each in decisions][2:4] == ["seen enough", "seen enough"]
    assert [each.evidence.get("answers") for each in decisions] == [None, 0, 0, 0, 3_000, 6_000, 6_000]


async def test_a_view_has_the_decisions_of_the_latest_rollout_alone(platform: RolloutScenario, spec_text: str) -> None:
    await platform.begin(spec_text, CANARY.replace("}", ", inconclusive: back}"))
    assert (await platform.view()).then == "back"
    await platform.command("abort")
    await platform.train("run-3")
    await platform.tick()
    assert [each.action for each in (await platform.view()).decisions] == ["rollout_began"]
    async with platform.store.work() as work:
        await commands.promote(work, "late", 3, ANA, None, override=False)
    await platform.tick()
    decisions = (await platform.view()).decisions
    assert [(each.action, each.step) for each in decisions] == [
        ("rollout_began", 1), ("promoted", None), ("rollout_superseded", 1),
    ]  # fmt: skip
    assert decisions[1].evidence == {}
    # What people do with the version after its rollout is no decision about it.
    async with platform.store.work() as work:
        await commands.roll_back(work, "late", 1, ANA, None)
    async with platform.store.work() as work:
        await commands.promote(work, "late", 3, ANA, None, override=False)
    assert (await platform.view()).decisions == decisions


async def test_rollouts_that_go_on_are_listed(platform: RolloutScenario, spec_text: str) -> None:
    assert await platform.store.rollouts() == []
    await platform.begin(spec_text, CANARY)
    assert list(await platform.store.rollouts()) == [await platform.rollout()]
    await platform.command("abort")
    assert list(await platform.store.rollouts()) == []


async def test_a_step_without_enough_evidence_asks_a_person_who_goes_on_or_ends_it(
    platform: RolloutScenario, spec_text: str
) -> None:
    await platform.begin(f"{spec_text}monitor: {{window: 10m}}\n", CANARY.replace("}", ", inconclusive: ask}"))
    # The first block of an hour counts when the window in which it ends has closed.
    await platform.tick(timedelta(hours=2, minutes=9))
    assert (await platform.rollout()).state == "running"
    await platform.tick(timedelta(minutes=1))
    found = await platform.rollout()
    assert (found.state, found.verdict) == ("asking", "inconclusive")
    assert await platform.routes() == [(2, "canary", 0.1), (1, "primary", 0.9)]
    last = (await audit_of(platform.store, "late"))[-1]
    assert (last.action, json.loads(last.evidence)["verdict"]) == ("rollout_state", "inconclusive")
    await platform.command("resume")
    await platform.compare(-0.03)
    assert (await platform.rollout()).step == 1


async def test_a_step_that_waits_for_evidence_has_its_verdict_once(platform: RolloutScenario, spec_text: str) -> None:
    await platform.begin(f"{spec_text}monitor: {{window: 10m}}\n", CANARY)
    routes = await platform.routes()
    for _ in range(3):
        await platform.tick(timedelta(hours=2, minutes=10))
    found = await platform.rollout()
    assert (found.state, found.verdict, found.since) == ("running", "inconclusive", NOW)
    assert found.inconclusive_at == NOW + timedelta(hours=2, minutes=10)
    entries = [each for each in await audit_of(platform.store, "late") if each.action == "rollout_state"]
    assert [each.decided_by for each in entries] == ["registry"]
    evidence = json.loads(entries[0].evidence)
    assert (evidence["verdict"], evidence["state"], evidence["evidence"]) == ("inconclusive", "running", found.facts())
    assert (await published_types(platform.store))[-1] == "RolloutChanged"
    assert await platform.routes() == routes
    assert rollout_view(found).verdict == "inconclusive"
    await platform.compare(-0.03)
    assert (await platform.rollout()).step == 1


async def test_a_crash_in_a_decision_leaves_the_rollout_before_it_and_the_next_tick_decides(
    platform: RolloutScenario, spec_text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await platform.begin(spec_text, CANARY)
    await platform.command("pause")
    await platform.compare(-0.03)
    before = await platform.rollout(), await platform.routes(), len(await audit_of(platform.store, "late"))
    with monkeypatch.context() as patched:

        async def killed(*_: object) -> None:
            raise Killed

        patched.setattr(type(await work_of(platform.store)), "save_rollout", killed)
        with pytest.raises(Killed):
            await platform.command("resume")
        with pytest.raises(Killed):
            await platform.command("promote")
    assert (await platform.rollout(), await platform.routes(), len(await audit_of(platform.store, "late"))) == before
    await platform.command("resume")
    await platform.tick()
    assert (await platform.rollout()).step == 1


async def test_a_model_that_cannot_be_decided_about_delays_no_other(
    platform: RolloutScenario, spec_text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await platform.begin(spec_text, CANARY)
    await platform.command("promote")
    loads = type(await work_of(platform.store)).rollout  # type: ignore[attr-defined]

    async def of_another_release(work: object, name: str) -> Rollout:
        if name == "a-newer":
            return Rollout.model_validate_json('{"state": "a word of a later release"}')
        if name == "an-away":
            raise UnavailableError("the artifact store", "it is stopped")
        found: Rollout = await loads(work, name)
        return found

    async def listed(*_: object) -> list[str]:
        return ["a-newer", "an-away", "late"]

    monkeypatch.setattr(type(await work_of(platform.store)), "rollout", of_another_release)
    monkeypatch.setattr(type(platform.store), "models_in_rollout", listed)
    with pytest.raises(UnavailableError):
        await platform.tick(timedelta(days=30))
    assert (await platform.rollout()).state == "promoted"


async def work_of(store: Backend) -> object:
    async with store.work() as work:
        return work
