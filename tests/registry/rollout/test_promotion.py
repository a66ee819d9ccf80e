"""Promotion: the new champion, and the states of the other versions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from rondo.contracts.events.models import ModelPromoted, ModelRetired
from rondo.registry.errors import AlreadyChampionError, NotPassedError, SameArtifactError
from rondo.registry.model.model import Actor, Model
from rondo.registry.registration.candidates import register_candidate
from rondo.registry.rollout import promotion

Make = Callable[..., Any]
ModelAfter = Callable[[str], Model]
ANA = Actor("ana", "it looks odd")


def states(model: Model) -> dict[int, str]:
    return {number: version.state for number, version in model.versions.items()}


def test_the_replaced_version_goes_on_standby_and_the_previous_standby_retires(
    model_after: ModelAfter, candidate: Make
) -> None:
    model = model_after("pp")
    assert states(model) == {1: "standby", 2: "champion"}
    decision = register_candidate(model, candidate("run-3"), model.spec)
    assert states(decision.after) == {1: "retired", 2: "standby", 3: "champion"}
    assert [e.model_version for e in decision.events if isinstance(e, ModelRetired)] == [1]


def test_a_promotion_by_hand_needs_passed_gates_or_an_override(model_after: ModelAfter, candidate: Make) -> None:
    model, known = model_after("pf"), candidate("run-2", passed=False)
    with pytest.raises(NotPassedError) as refused:
        promotion.promote_by_hand(model, model.version(2), known, ANA, override=False)
    assert refused.value.failures == ("ROC AUC 0.700",)
    decision = promotion.promote_by_hand(model, model.version(2), known, ANA, override=True)
    promoted = decision.events[0]
    assert isinstance(promoted, ModelPromoted)
    assert (promoted.decided_by, promoted.trigger) == ("ana", None)
    assert decision.audit_entries[0].evidence["passed"] is False
    with pytest.raises(AlreadyChampionError):
        promotion.promote_by_hand(model, model.version(1), candidate("run-1"), ANA, override=False)


def test_a_version_with_the_champions_artifact_is_not_promoted(model_after: ModelAfter, candidate: Make) -> None:
    model = model_after("pp")
    twin = replace(model.version(1), digest=model.version(2).digest)
    with pytest.raises(SameArtifactError) as refused:
        promotion.promote_by_hand(model, twin, candidate("run-1"), ANA, override=True)
    assert str(refused.value) == (
        "version 1 of late has the same artifact as the champion, version 2: promoting it changes nothing; "
        "train on new labelled rows, or promote another version"
    )
