"""Registration: a candidate becomes the champion or a rejected version."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from rondo.contracts.events.deployment import DeploymentChanged
from rondo.contracts.events.models import GateResult, ModelPromoted, ModelRegistered, ModelRejected
from rondo.contracts.events.training import TrainingRequested, Trigger
from rondo.contracts.vocabularies import GateName
from rondo.registry.model.model import Candidate, Decision, Model
from rondo.registry.registration.candidates import register_candidate

if TYPE_CHECKING:
    from rondo.contracts.spec.model import ModelSpec

Make = Callable[..., Any]
ModelAfter = Callable[[str], Model]


@pytest.fixture
def fresh(spec: ModelSpec) -> Model:
    return Model("late", spec, 1)


def states(model: Model) -> dict[int, str]:
    return {number: version.state for number, version in model.versions.items()}


def kinds(decision: Decision) -> list[type]:
    return [type(event) for event in decision.events]


def test_the_first_candidate_that_passes_serves(fresh: Model, candidate: Make) -> None:
    decision = register_candidate(fresh, candidate(), fresh.spec)
    assert kinds(decision) == [ModelRegistered, ModelPromoted, DeploymentChanged]
    promoted, changed = decision.events[1:]
    assert isinstance(promoted, ModelPromoted)
    assert isinstance(changed, DeploymentChanged)
    assert (promoted.model_version, promoted.previous_version, promoted.decided_by) == (1, None, "registry")
    assert promoted.trigger is not None
    assert promoted.metrics == {"roc_auc": 0.7}
    assert [gate.gate for gate in promoted.gates] == ["roc_auc.min"]
    assert (changed.revision, [(r.model_version, r.share, r.role) for r in changed.routes]) == (1, [(1, 1, "primary")])
    assert changed.routes[0].features == fresh.spec.features
    assert [s.action for s in decision.audit_entries] == ["registered", "promoted"]


def test_a_candidate_that_fails_changes_nothing_that_serves(model_after: ModelAfter, candidate: Make) -> None:
    model = model_after("p")
    decision = register_candidate(model, candidate("run-2", passed=False), model.spec)
    assert kinds(decision) == [ModelRegistered, ModelRejected]
    assert (decision.after.routes, decision.after.revision) == (model.routes, model.revision)
    assert states(decision.after) == {1: "champion", 2: "rejected"}


def test_a_rejected_version_takes_its_number_with_it(model_after: ModelAfter) -> None:
    assert states(model_after("fp")) == {1: "rejected", 2: "champion"}


def gate(name: str, passed: bool) -> GateResult:  # noqa: FBT001
    return GateResult(gate=name, passed=passed, observed=None, bound=None, message=f"{name} failed")


def judged(candidate: Candidate, *gates: GateResult) -> Candidate:
    return Candidate(candidate.trained, gates)


def test_a_stale_champion_has_a_registered_model_evaluated_once_more(model_after: ModelAfter, candidate: Make) -> None:
    model, given = model_after("p"), f"sha256:{'f' * 64}"
    late = judged(candidate("run-2", kind="registration", artifact=given), gate(GateName.STALE_CHAMPION, passed=False))
    decision = register_candidate(model, late, model.spec)
    request = decision.events[-1]
    assert isinstance(request, TrainingRequested)
    assert (request.trigger.kind, request.trigger.artifact) == ("registration", given)
    assert decision.audit_entries[-1].action == "registration_requested"


def test_a_stale_champion_causes_one_more_training(model_after: ModelAfter, candidate: Make) -> None:
    model = model_after("p")
    late = judged(candidate("run-2"), gate("roc_auc.min", passed=True), gate(GateName.STALE_CHAMPION, passed=False))
    decision = register_candidate(model, late, model.spec)
    assert kinds(decision) == [ModelRegistered, ModelRejected, TrainingRequested]
    request = decision.events[-1]
    assert isinstance(request, TrainingRequested)
    assert request == TrainingRequested(
        model="late",
        trigger=Trigger(
            id="stale-champion/run-2", kind="manual", at=late.trained.trigger.at, detail="stale_champion failed"
        ),
        requested_by="registry",
    )
    assert [(s.action, s.evidence.get("reason")) for s in decision.audit_entries] == [
        ("registered", None), ("rejected", "stale_champion"), ("training_requested", "stale_champion"),
    ]  # fmt: skip
    trained = late.trained.model_copy(update={"run_id": "run-3", "trigger": request.trigger})
    again = register_candidate(decision.after, Candidate(trained, late.gates), model.spec)
    assert kinds(again) == [ModelRegistered, ModelRejected]


def test_a_candidate_that_fails_another_gate_is_not_trained_again(model_after: ModelAfter, candidate: Make) -> None:
    model = model_after("p")
    bad = judged(candidate("run-2"), gate("roc_auc.min", passed=False), gate(GateName.STALE_CHAMPION, passed=False))
    decision = register_candidate(model, bad, model.spec)
    assert kinds(decision) == [ModelRegistered, ModelRejected]
    assert decision.audit_entries[-1].evidence["reason"] == "gates"
