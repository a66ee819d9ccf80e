"""Promotion and rollback: what a candidate or a person leads to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from rondo.contracts.deployment import DeploymentChanged, ReplicaChanged
from rondo.contracts.models import ModelPromoted, ModelRegistered, ModelRejected, ModelRetired, ModelRolledBack
from rondo.registry import promotion, rollback
from rondo.registry.errors import (
    AlreadyChampionError,
    NeverServedError,
    NothingToRollBackToError,
    NotPassedError,
    UnknownVersionError,
)
from rondo.registry.versions import Cause, Decision, Model

if TYPE_CHECKING:
    from rondo.contracts.spec import ModelSpec

Make = Callable[..., Any]
ANA = Cause("ana", "it looks odd")


@pytest.fixture
def fresh(spec: ModelSpec) -> Model:
    return Model("late", spec, 1)


@pytest.fixture
def after(fresh: Model, candidate: Make) -> Callable[..., Model]:
    """Return a function that gives the model after candidates that passed (p) or failed (f), such as "pfp"."""

    def run(story: str) -> Model:
        model = fresh
        for number, letter in enumerate(story, 1):
            model = promotion.receive(model, candidate(f"run-{number}", passed=letter == "p"), model.spec).after
        return model

    return run


def states(model: Model) -> dict[int, str]:
    return {number: version.state for number, version in model.versions.items()}


def kinds(decision: Decision) -> list[type]:
    return [type(event) for event in decision.events]


def refusal(model: Model, version: int, revision: int) -> ReplicaChanged:
    route = model.versions[version]
    return ReplicaChanged(
        model="late", replica="serving-0", model_version=version, digest=route.digest, revision=revision,
        state="refused", detail="the warm-up failed", at="2013-03-01T00:00:00Z",
    )  # fmt: skip


def test_the_first_candidate_that_passes_serves(fresh: Model, candidate: Make) -> None:
    decision = promotion.receive(fresh, candidate(), fresh.spec)
    assert kinds(decision) == [ModelRegistered, ModelPromoted, DeploymentChanged]
    promoted, changed = decision.events[1:]
    assert isinstance(promoted, ModelPromoted)
    assert isinstance(changed, DeploymentChanged)
    assert (promoted.model_version, promoted.previous_version, promoted.decided_by) == (1, None, "registry")
    assert promoted.trigger is not None
    assert promoted.metrics == {"roc_auc": 0.7}
    assert [gate.gate for gate in promoted.gates] == ["roc_auc.min"]
    assert (changed.revision, [(r.model_version, r.share, r.role) for r in changed.routes]) == (1, [(1, 1, "champion")])
    assert changed.routes[0].features == fresh.spec.features
    assert [s.action for s in decision.statements] == ["registered", "promoted"]


def test_a_candidate_that_fails_changes_nothing_that_serves(after: Callable[..., Model], candidate: Make) -> None:
    model = after("p")
    decision = promotion.receive(model, candidate("run-2", passed=False), model.spec)
    assert kinds(decision) == [ModelRegistered, ModelRejected]
    assert (decision.after.routes, decision.after.revision) == (model.routes, model.revision)
    assert states(decision.after) == {1: "champion", 2: "rejected"}


def test_the_replaced_stands_by_and_the_one_before_retires(after: Callable[..., Model], candidate: Make) -> None:
    model = after("pp")
    assert states(model) == {1: "standby", 2: "champion"}
    decision = promotion.receive(model, candidate("run-3"), model.spec)
    assert states(decision.after) == {1: "retired", 2: "standby", 3: "champion"}
    assert [e.model_version for e in decision.events if isinstance(e, ModelRetired)] == [1]


def test_a_rejected_version_takes_its_number_with_it(after: Callable[..., Model]) -> None:
    assert states(after("fp")) == {1: "rejected", 2: "champion"}


def test_by_hand_only_what_passed_or_with_override(after: Callable[..., Model], candidate: Make) -> None:
    model, known = after("pf"), candidate("run-2", passed=False)
    with pytest.raises(NotPassedError, match=r'did not pass its gates \(ROC AUC 0.700\).*\{"override": true\}'):
        promotion.promote_by_hand(model, model.version(2), known, ANA, override=False)
    decision = promotion.promote_by_hand(model, model.version(2), known, ANA, override=True)
    promoted = decision.events[0]
    assert isinstance(promoted, ModelPromoted)
    assert (promoted.decided_by, promoted.trigger) == ("ana", None)
    assert decision.statements[0].evidence["passed"] is False
    with pytest.raises(AlreadyChampionError, match="version 1 is the champion of late already"):
        promotion.promote_by_hand(model, model.version(1), candidate("run-1"), ANA, override=False)


def test_rollback_goes_to_the_previous_version_and_further(after: Callable[..., Model]) -> None:
    decision = rollback.roll_back(after("ppp"), None, ANA)
    assert kinds(decision) == [ModelRolledBack, DeploymentChanged]
    assert states(decision.after) == {1: "retired", 2: "champion", 3: "rolled_back"}
    assert decision.after.revision == 4
    again = rollback.roll_back(decision.after, None, ANA).after
    assert states(again) == {1: "champion", 2: "rolled_back", 3: "rolled_back"}
    with pytest.raises(NothingToRollBackToError, match="late has no earlier version to go back to"):
        rollback.roll_back(again, None, ANA)
    assert states(rollback.roll_back(again, 3, ANA).after) == {1: "rolled_back", 2: "rolled_back", 3: "champion"}


def test_rollback_by_number(after: Callable[..., Model], fresh: Model) -> None:
    model = after("pfp")
    assert rollback.roll_back(model, 1, ANA).after.served == (1, 3, 1)
    with pytest.raises(NeverServedError, match="version 2 of late never served"):
        rollback.roll_back(model, 2, ANA)
    with pytest.raises(AlreadyChampionError):
        rollback.roll_back(model, 3, ANA)
    with pytest.raises(UnknownVersionError, match="late has no version 9: its versions are 1 to 3"):
        rollback.roll_back(model, 9, ANA)
    with pytest.raises(NothingToRollBackToError):
        rollback.roll_back(fresh, None, ANA)


def test_a_refusal_brings_the_previous_version_back_once(after: Callable[..., Model]) -> None:
    model = after("pp")
    decision = rollback.on_refusal(model, refusal(model, 2, 2))
    assert decision is not None
    assert kinds(decision) == [ModelRolledBack, DeploymentChanged]
    assert decision.cause.reason == "replica serving-0 refused version 2: the warm-up failed"
    assert states(decision.after) == {1: "champion", 2: "rolled_back"}
    assert rollback.on_refusal(decision.after, refusal(model, 2, 2)) is None


def test_a_refusal_of_another_version_or_of_no_deployment_decides_nothing(after: Callable[..., Model]) -> None:
    model = after("pp")
    assert rollback.on_refusal(model, refusal(model, 1, 2)) is None
    assert rollback.on_refusal(replace(model, routes=()), refusal(model, 2, 2)) is None


def test_the_only_version_is_withdrawn_when_refused(after: Callable[..., Model], candidate: Make) -> None:
    model = after("p")
    decision = rollback.on_refusal(model, refusal(model, 1, 1))
    assert decision is not None
    changed = decision.events[0]
    assert isinstance(changed, DeploymentChanged)
    assert (changed.revision, changed.routes) == (2, ())
    assert decision.after.champion is None
    assert [s.action for s in decision.statements] == ["withdrawn"]
    recovered = promotion.receive(decision.after, candidate("run-2"), model.spec).after
    assert states(recovered) == {1: "rolled_back", 2: "champion"}
