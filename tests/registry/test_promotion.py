"""Promotion: what a candidate or a person leads to."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from rondo.contracts.deployment import DeploymentChanged
from rondo.contracts.models import ModelPromoted, ModelRegistered, ModelRejected, ModelRetired
from rondo.registry import promotion
from rondo.registry.errors import (
    AlreadyChampionError,
    NotPassedError,
)
from rondo.registry.versions import Cause, Decision, Model

if TYPE_CHECKING:
    from rondo.contracts.spec import ModelSpec

Make = Callable[..., Any]
ModelAfter = Callable[[str], Model]
ANA = Cause("ana", "it looks odd")


@pytest.fixture
def fresh(spec: ModelSpec) -> Model:
    return Model("late", spec, 1)


def states(model: Model) -> dict[int, str]:
    return {number: version.state for number, version in model.versions.items()}


def kinds(decision: Decision) -> list[type]:
    return [type(event) for event in decision.events]


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


def test_a_candidate_that_fails_changes_nothing_that_serves(model_after: ModelAfter, candidate: Make) -> None:
    model = model_after("p")
    decision = promotion.receive(model, candidate("run-2", passed=False), model.spec)
    assert kinds(decision) == [ModelRegistered, ModelRejected]
    assert (decision.after.routes, decision.after.revision) == (model.routes, model.revision)
    assert states(decision.after) == {1: "champion", 2: "rejected"}


def test_the_replaced_stands_by_and_the_one_before_retires(model_after: ModelAfter, candidate: Make) -> None:
    model = model_after("pp")
    assert states(model) == {1: "standby", 2: "champion"}
    decision = promotion.receive(model, candidate("run-3"), model.spec)
    assert states(decision.after) == {1: "retired", 2: "standby", 3: "champion"}
    assert [e.model_version for e in decision.events if isinstance(e, ModelRetired)] == [1]


def test_a_rejected_version_takes_its_number_with_it(model_after: ModelAfter) -> None:
    assert states(model_after("fp")) == {1: "rejected", 2: "champion"}


def test_by_hand_only_what_passed_or_with_override(model_after: ModelAfter, candidate: Make) -> None:
    model, known = model_after("pf"), candidate("run-2", passed=False)
    with pytest.raises(NotPassedError, match=r'did not pass its gates \(ROC AUC 0.700\).*\{"override": true\}'):
        promotion.promote_by_hand(model, model.version(2), known, ANA, override=False)
    decision = promotion.promote_by_hand(model, model.version(2), known, ANA, override=True)
    promoted = decision.events[0]
    assert isinstance(promoted, ModelPromoted)
    assert (promoted.decided_by, promoted.trigger) == ("ana", None)
    assert decision.statements[0].evidence["passed"] is False
    with pytest.raises(AlreadyChampionError, match="version 1 is the champion of late already"):
        promotion.promote_by_hand(model, model.version(1), candidate("run-1"), ANA, override=False)
