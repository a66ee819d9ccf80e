"""Slices and groups: those with enough rows count, and figures that are missing fail."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from rondo.contracts.spec.model import FairnessGate, Gates
from rondo.registry.gates.champion_comparison import ComparedChampion
from rondo.registry.gates.gates import evaluate_gates

from tests.registry.builders import by, figures, message, results

Make = Callable[..., Any]


def test_the_worst_slice_decides_among_those_with_enough_rows(make_evidence: Make) -> None:
    gates = Gates(slices=("carrier",), slice_tolerance=0.05, min_slice_rows=200)
    theirs = by("carrier", AA=0.8, UA=0.7, ZZ=None)
    evidence = make_evidence(champion=(1, 0.7), slices=by("carrier", AA=0.74, UA=0.9, ZZ=0.9), champion_slices=theirs)
    found = evaluate_gates(evidence, gates, ComparedChampion(1))
    assert not results(*found)["slices.carrier"]
    text = message(found, "slices.carrier")
    assert figures(text)[:2] == ["2", "0.060"]
    assert "AA" in text
    assert "UA" not in text
    few = by("carrier", 199, AA=0.1) + by("carrier", UA=0.7)
    evidence = make_evidence(champion=(1, 0.7), slices=few, champion_slices=theirs)
    assert results(*evaluate_gates(evidence, gates, ComparedChampion(1)))["slices.carrier"]


def test_figures_that_are_missing_fail(make_evidence: Make) -> None:
    gates = Gates(slices=("carrier",), fairness=FairnessGate(by="origin", max_gap=0.1))
    found = evaluate_gates(make_evidence(champion=(1, 0.7)), gates, ComparedChampion(1))
    assert results(*found) == {"infrastructure.parity": True, "slices.carrier": False, "fairness.origin": False}
    assert figures(message(found, "fairness.origin")) == []
    assert "train again" in message(found, "fairness.origin")


def test_fairness_is_the_gap_between_groups_with_enough_rows(make_evidence: Make) -> None:
    gates = Gates(fairness=FairnessGate(by="origin", max_gap=0.1), min_slice_rows=200)
    fair = evaluate_gates(make_evidence(slices=by("origin", EWR=0.7, JFK=0.8) + by("origin", 10, LGA=0.1)), gates, None)
    assert results(*fair)["fairness.origin"]
    unfair = evaluate_gates(make_evidence(slices=by("origin", EWR=0.7, JFK=0.81)), gates, None)
    assert figures(message(unfair, "fairness.origin")) == ["0.810", "0.700", "0.110", "0.1"]
    assert re.findall("[A-Z]{3}", message(unfair, "fairness.origin")) == ["ROC", "AUC", "JFK", "EWR"]
    assert not results(*unfair)["fairness.origin"]
    assert results(*evaluate_gates(make_evidence(slices=by("origin", EWR=0.7)), gates, None))["fairness.origin"]
