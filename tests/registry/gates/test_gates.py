"""Absolute gates."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
from rondo.contracts.spec.model import Gates, MetricGate
from rondo.contracts.training_evidence import Parity
from rondo.registry.gates.gates import evaluate_gates

from tests.registry.builders import message, results

Make = Callable[..., Any]


def test_without_gates_only_the_artifact_is_checked(make_evidence: Make) -> None:
    assert results(*evaluate_gates(make_evidence(), Gates(), None)) == {"infrastructure.parity": True}


@pytest.mark.parametrize(
    ("parity", "passed"),
    [((100, 1e-4), True), ((100, 1.1e-4), False), ((0, 0.0), False), ((100, math.nan), False)],
)
def test_what_serves_must_be_what_was_evaluated(make_evidence: Make, parity: tuple[int, float], passed: bool) -> None:  # noqa: FBT001
    evidence = make_evidence(parity=Parity(rows=parity[0], max_difference=parity[1]))
    assert results(*evaluate_gates(evidence, Gates(), None)) == {"infrastructure.parity": passed}


@pytest.mark.parametrize(("native", "named"), [(True, False), (None, False), (False, True)])
def test_a_comparison_without_a_native_model_says_so(make_evidence: Make, native: bool | None, named: bool) -> None:  # noqa: FBT001
    evidence = make_evidence(parity=Parity(rows=100, max_difference=1e-7, native=native))
    found = evaluate_gates(evidence, Gates(), None)
    assert results(*found) == {"infrastructure.parity": True}
    assert ("no native model" in message(found, "infrastructure.parity")) is named


@pytest.mark.parametrize(("auc", "passed"), [(0.6, True), (0.599, False), (math.nan, False)])
def test_the_minimum(make_evidence: Make, auc: float, passed: bool) -> None:  # noqa: FBT001
    found = evaluate_gates(make_evidence(auc=auc), Gates(roc_auc=MetricGate(min=0.6)), None)
    assert results(*found)["roc_auc.min"] is passed
