"""Slices and groups: those with enough rows count, and figures that are missing fail."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rondo.contracts.spec.model import FairnessGate, Gates
from rondo.registry.gates.champion_comparison import ComparedChampion
from rondo.registry.gates.gates import evaluate_gates

from tests.registry.builders import by, message, results

Make = Callable[..., Any]


def test_the_worst_slice_decides_among_those_with_enough_rows(make_evidence: Make) -> None:
    gates = Gates(slices=("carrier",), slice_tolerance=0.05, min_slice_rows=200)
    theirs = by("carrier", AA=0.8, UA=0.7, ZZ=None)
    evidence = make_evidence(champion=(1, 0.7), slices=by("carrier", AA=0.74, UA=0.9, ZZ=0.9), champion_slices=theirs)
    found = evaluate_gates(evidence, gates, ComparedChampion(1))
    assert not results(*found)["slices.carrier"]
    assert "of 2 slices by carrier, AA changed worst: worse by 0.060 in ROC AUC" in message(found, "slices.carrier")
    few = by("carrier", 199, AA=0.1) + by("carrier", UA=0.7)
    evidence = make_evidence(champion=(1, 0.7), slices=few, champion_slices=theirs)
    assert results(*evaluate_gates(evidence, gates, ComparedChampion(1)))["slices.carrier"]


def test_figures_that_are_missing_fail(make_evidence: Make) -> None:
    gates = Gates(slices=("carrier",), fairness=FairnessGate(by="origin", max_gap=0.1))
    found = evaluate_gates(make_evidence(champion=(1, 0.7)), gates, ComparedChampion(1))
    assert results(*found) == {"infrastructure.parity": True, "slices.carrier": False, "fairness.origin": False}
    assert message(found, "fairness.origin") == (
        "the evidence has no figures by origin: the spec did not ask for them at the time, so train again"
    )


def test_fairness_is_the_gap_between_groups_with_enough_rows(make_evidence: Make) -> None:
    gates = Gates(fairness=FairnessGate(by="origin", max_gap=0.1), min_slice_rows=200)
    fair = evaluate_gates(make_evidence(slices=by("origin", EWR=0.7, JFK=0.8) + by("origin", 10, LGA=0.1)), gates, None)
    assert results(*fair)["fairness.origin"]
    unfair = evaluate_gates(make_evidence(slices=by("origin", EWR=0.7, JFK=0.81)), gates, None)
    assert message(unfair, "fairness.origin") == (
        "ROC AUC is 0.810 for origin JFK and 0.700 for EWR: a gap of 0.110, at most 0.1 is allowed"
    )
    assert not results(*unfair)["fairness.origin"]
    assert results(*evaluate_gates(make_evidence(slices=by("origin", EWR=0.7)), gates, None))["fairness.origin"]
