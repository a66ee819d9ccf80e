"""Promotion: who becomes the champion, and what becomes of the others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from rondo.contracts.events.models import ModelPromoted, ModelRetired
from rondo.registry.errors import AlreadyChampionError, NotPassedError
from rondo.registry.model import registration
from rondo.registry.model.model import Cause, Model
from rondo.registry.rollout import strategies

Make = Callable[..., Any]
ModelAfter = Callable[[str], Model]
ANA = Cause("ana", "it looks odd")


def states(model: Model) -> dict[int, str]:
    return {number: version.state for number, version in model.versions.items()}


def test_the_replaced_stands_by_and_the_one_before_retires(model_after: ModelAfter, candidate: Make) -> None:
    model = model_after("pp")
    assert states(model) == {1: "standby", 2: "champion"}
    decision = registration.receive(model, candidate("run-3"), model.spec)
    assert states(decision.after) == {1: "retired", 2: "standby", 3: "champion"}
    assert [e.model_version for e in decision.events if isinstance(e, ModelRetired)] == [1]


def test_by_hand_only_what_passed_or_with_override(model_after: ModelAfter, candidate: Make) -> None:
    model, known = model_after("pf"), candidate("run-2", passed=False)
    with pytest.raises(NotPassedError, match=r'did not pass its gates \(ROC AUC 0.700\).*\{"override": true\}'):
        strategies.promote_by_hand(model, model.version(2), known, ANA, override=False)
    decision = strategies.promote_by_hand(model, model.version(2), known, ANA, override=True)
    promoted = decision.events[0]
    assert isinstance(promoted, ModelPromoted)
    assert (promoted.decided_by, promoted.trigger) == ("ana", None)
    assert decision.statements[0].evidence["passed"] is False
    with pytest.raises(AlreadyChampionError, match="version 1 is the champion of late already"):
        strategies.promote_by_hand(model, model.version(1), candidate("run-1"), ANA, override=False)
