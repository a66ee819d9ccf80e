"""Gates: what passes, what does not, and what can't be shown."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rondo.contracts.spec import FairnessGate, Gates, MetricGate
from rondo.contracts.training import Evaluation, Evidence, Parity, SliceMetric
from rondo.registry.gates import judge

if TYPE_CHECKING:
    from rondo.contracts.models import GateResult

Make = Callable[..., Any]
AUC = st.floats(0, 1)


def by(column: str, rows: int = 500, **aucs: float | None) -> tuple[SliceMetric, ...]:
    return tuple(
        SliceMetric(column=column, value=value, rows=rows, positives=rows // 4, roc_auc=auc)
        for value, auc in aucs.items()
    )


def results(*gates: GateResult) -> dict[str, bool]:
    return {gate.gate: gate.passed for gate in gates}


def message(gates: tuple[GateResult, ...], name: str) -> str:
    return next(gate.message for gate in gates if gate.gate == name)


def test_without_gates_only_the_artifact_is_checked(trained: Make) -> None:
    assert results(*judge(trained().evidence, Gates(), None)) == {"infrastructure.parity": True}


@pytest.mark.parametrize(
    ("parity", "passed"),
    [((100, 1e-4), True), ((100, 1.1e-4), False), ((0, 0.0), False), ((100, math.nan), False)],
)
def test_what_serves_must_be_what_was_evaluated(trained: Make, parity: tuple[int, float], passed: bool) -> None:  # noqa: FBT001
    evidence = trained(parity=Parity(rows=parity[0], max_abs_difference=parity[1])).evidence
    assert results(*judge(evidence, Gates(), None)) == {"infrastructure.parity": passed}


@pytest.mark.parametrize(("auc", "passed"), [(0.6, True), (0.599, False), (math.nan, False)])
def test_the_minimum(trained: Make, auc: float, passed: bool) -> None:  # noqa: FBT001
    found = judge(trained(auc=auc).evidence, Gates(roc_auc=MetricGate(min=0.6)), None)
    assert results(*found)["roc_auc.min"] is passed


def test_no_worse_than_the_champion_on_the_same_holdout(trained: Make) -> None:
    gates = Gates(roc_auc=MetricGate(not_worse_than_champion=0.01))
    name = "roc_auc.not_worse_than_champion"
    assert results(*judge(trained(auc=0.69, champion=(3, 0.70)).evidence, gates, 3))[name]
    found = judge(trained(auc=0.68, champion=(3, 0.70)).evidence, gates, 3)
    assert not results(*found)[name]
    assert message(found, name) == (
        "ROC AUC 0.680, version 3 has 0.700 on the same holdout; at most 0.01 less is allowed"
    )


def test_who_serves_must_be_who_was_compared(trained: Make) -> None:
    gates = Gates(roc_auc=MetricGate(not_worse_than_champion=0.01))
    name = "roc_auc.not_worse_than_champion"
    stale = judge(trained(auc=0.9, champion=(3, 0.5)).evidence, gates, 4)
    assert not results(*stale)[name]
    assert message(stale, name) == "version 4 serves, but version 3 was scored on the same holdout: train again"
    unscored = judge(trained(auc=0.9).evidence, gates, 4)
    assert message(unscored, name) == "version 4 serves, but no version was scored on the same holdout: train again"
    assert results(*judge(trained(auc=0.9).evidence, gates, None))[name]
    assert results(*judge(trained(auc=0.9).evidence, gates, 4, comparable=False))[name]


def test_the_worst_slice_decides_among_those_with_enough_rows(trained: Make) -> None:
    gates = Gates(slices=("carrier",), slice_tolerance=0.05, min_slice_rows=200)
    theirs = by("carrier", AA=0.8, UA=0.7, ZZ=None)
    evidence = trained(
        champion=(1, 0.7), slices=by("carrier", AA=0.74, UA=0.9, ZZ=0.9), champion_slices=theirs
    ).evidence
    found = judge(evidence, gates, 1)
    assert not results(*found)["slices.carrier"]
    assert "of 2 slices by carrier, AA changed worst: -0.060 ROC AUC" in message(found, "slices.carrier")
    few = by("carrier", 199, AA=0.1) + by("carrier", UA=0.7)
    evidence = trained(champion=(1, 0.7), slices=few, champion_slices=theirs).evidence
    assert results(*judge(evidence, gates, 1))["slices.carrier"]


def test_figures_that_are_missing_fail(trained: Make) -> None:
    gates = Gates(slices=("carrier",), fairness=FairnessGate(by="origin", max_gap=0.1))
    found = judge(trained(champion=(1, 0.7)).evidence, gates, 1)
    assert results(*found) == {"infrastructure.parity": True, "slices.carrier": False, "fairness.origin": False}
    assert message(found, "fairness.origin") == "the evidence has no figures by origin"


def test_fairness_is_the_gap_between_groups_with_enough_rows(trained: Make) -> None:
    gates = Gates(fairness=FairnessGate(by="origin", max_gap=0.1), min_slice_rows=200)
    fair = judge(trained(slices=by("origin", EWR=0.7, JFK=0.8) + by("origin", 10, LGA=0.1)).evidence, gates, None)
    assert results(*fair)["fairness.origin"]
    unfair = judge(trained(slices=by("origin", EWR=0.7, JFK=0.81)).evidence, gates, None)
    assert message(unfair, "fairness.origin") == (
        "ROC AUC is 0.810 for origin JFK and 0.700 for EWR: a gap of 0.110, at most 0.1 is allowed"
    )
    assert not results(*unfair)["fairness.origin"]
    assert results(*judge(trained(slices=by("origin", EWR=0.7)).evidence, gates, None))["fairness.origin"]


@given(auc=AUC, better=AUC, reference=AUC, tolerance=st.floats(0, 0.5))
def test_a_better_candidate_never_fails_where_a_worse_one_passes(
    evidence: Evidence, auc: float, better: float, reference: float, tolerance: float
) -> None:
    gates = Gates(roc_auc=MetricGate(min=0.5, not_worse_than_champion=tolerance))
    low, high = sorted((auc, better))
    worse, best = _with(evidence, low, reference), _with(evidence, high, reference)
    for before, after in zip(judge(worse, gates, 1), judge(best, gates, 1), strict=True):
        assert after.passed or not before.passed


@given(auc=AUC, slices=st.dictionaries(st.sampled_from("abcdef"), AUC, min_size=1))
def test_the_champion_itself_always_passes_against_itself(
    evidence: Evidence, auc: float, slices: dict[str, float]
) -> None:
    gates = Gates(roc_auc=MetricGate(not_worse_than_champion=0), slices=("carrier",), slice_tolerance=0)
    itself = _with(evidence, auc, auc, by("carrier", **slices))
    assert all(gate.passed for gate in judge(itself, gates, 1))


def _with(evidence: Evidence, auc: float, champion: float, slices: tuple[SliceMetric, ...] = ()) -> Evidence:
    return evidence.model_copy(
        update={
            "candidate": Evaluation(metrics={"roc_auc": auc}, slices=slices),
            "champion": Evaluation(metrics={"roc_auc": champion}, slices=slices),
        }
    )
