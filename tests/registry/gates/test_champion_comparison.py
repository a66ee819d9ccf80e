"""Gates that compare with the champion: on the same holdout, with the version that serves now."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from rondo.contracts.spec.model import Gates, MetricGate
from rondo.contracts.training_evidence import Comparison, Evaluation, Evidence, SliceMetrics
from rondo.contracts.vocabularies import GateName
from rondo.registry.gates.champion_comparison import ComparedChampion
from rondo.registry.gates.gates import evaluate_gates

from tests.registry.builders import by, compared, figures, message, results

Make = Callable[..., Any]
AUC = st.floats(0, 1)
NOT_WORSE = "roc_auc.not_worse_than_champion"


def test_no_worse_than_the_champion_on_the_same_holdout(make_evidence: Make) -> None:
    gates = Gates(roc_auc=MetricGate(not_worse_than_champion=0.01))
    name = NOT_WORSE
    assert results(*evaluate_gates(make_evidence(auc=0.69, champion=(3, 0.70)), gates, ComparedChampion(3)))[name]
    found = evaluate_gates(make_evidence(auc=0.68, champion=(3, 0.70)), gates, ComparedChampion(3))
    assert not results(*found)[name]
    assert figures(message(found, name)) == ["0.680", "3", "0.700", "0.95", "0.020", "0.01"]


def test_the_champion_must_be_the_version_that_was_compared(make_evidence: Make) -> None:
    gates = Gates(roc_auc=MetricGate(min=0.6, not_worse_than_champion=0.01), slices=("carrier",))
    stale = evaluate_gates(make_evidence(auc=0.9, champion=(3, 0.5)), gates, ComparedChampion(4))
    assert results(*stale) == {"infrastructure.parity": True, "roc_auc.min": True, GateName.STALE_CHAMPION: False}
    assert message(stale, GateName.STALE_CHAMPION) == (
        "version 4 serves by now, but version 3 was scored on the same holdout: the champion changed during the "
        "training, so train again"
    )
    unscored = evaluate_gates(make_evidence(auc=0.9), gates, ComparedChampion(4))
    assert message(unscored, GateName.STALE_CHAMPION).startswith("version 4 serves by now, but no version was scored")


def test_a_stale_champion_does_not_matter_without_relative_gates(make_evidence: Make) -> None:
    found = evaluate_gates(
        make_evidence(auc=0.9, champion=(3, 0.5)), Gates(roc_auc=MetricGate(min=0.6)), ComparedChampion(4)
    )
    assert results(*found) == {"infrastructure.parity": True, "roc_auc.min": True}


def test_a_champion_that_cannot_be_scored_leaves_it_to_the_absolute_gates(make_evidence: Make) -> None:
    gates = Gates(roc_auc=MetricGate(min=0.6, not_worse_than_champion=0.01), slices=("carrier",))
    not_comparable = ComparedChampion(4, "its artifact is gone")
    found = evaluate_gates(make_evidence(auc=0.7), gates, not_comparable)
    assert all(gate.passed for gate in found)
    note = message(found, NOT_WORSE)
    assert message(found, "slices.carrier") == note
    assert ("version 4" in note, "its artifact is gone" in note) == (True, True)
    assert not results(*evaluate_gates(make_evidence(auc=0.5), gates, not_comparable))["roc_auc.min"]


def test_a_champion_that_the_training_could_not_score_leaves_it_to_the_absolute_gates(make_evidence: Make) -> None:
    gates = Gates(roc_auc=MetricGate(min=0.6, not_worse_than_champion=0.01), slices=("carrier",))
    why = {"champion_version": 4, "champion_not_comparable": "it gives no finite number for a row of the holdout"}
    found = evaluate_gates(make_evidence(auc=0.7).model_copy(update=why), gates, ComparedChampion(4))
    assert all(gate.passed for gate in found)
    note = "version 4 serves, and can't be scored: it gives no finite number for a row of the holdout; not compared"
    assert message(found, NOT_WORSE) == message(found, "slices.carrier") == note
    weak = evaluate_gates(make_evidence(auc=0.5).model_copy(update=why), gates, ComparedChampion(4))
    assert not results(*weak)["roc_auc.min"]
    # Another version serves by now, which could be scored.
    later = evaluate_gates(make_evidence(auc=0.7).model_copy(update=why), gates, ComparedChampion(5))
    assert not results(*later)[GateName.STALE_CHAMPION]


def test_without_a_champion_there_is_nothing_to_compare_with(make_evidence: Make) -> None:
    gates = Gates(roc_auc=MetricGate(not_worse_than_champion=0.01), slices=("carrier",))
    assert all(gate.passed for gate in evaluate_gates(make_evidence(auc=0.1), gates, None))


@given(auc=AUC, better=AUC, reference=AUC, tolerance=st.floats(0, 0.5))
def test_a_better_candidate_never_fails_where_a_worse_one_passes(
    evidence: Evidence, auc: float, better: float, reference: float, tolerance: float
) -> None:
    gates = Gates(roc_auc=MetricGate(min=0.5, not_worse_than_champion=tolerance))
    low, high = sorted((auc, better))
    worse, best = _with(evidence, low, reference), _with(evidence, high, reference)
    for before, after in zip(
        evaluate_gates(worse, gates, ComparedChampion(1)), evaluate_gates(best, gates, ComparedChampion(1)), strict=True
    ):
        assert after.passed or not before.passed


@given(auc=AUC, slices=st.dictionaries(st.sampled_from("abcdef"), AUC, min_size=1))
def test_the_champion_itself_always_passes_against_itself(
    evidence: Evidence, auc: float, slices: dict[str, float]
) -> None:
    gates = Gates(roc_auc=MetricGate(not_worse_than_champion=0), slices=("carrier",), slice_tolerance=0)
    itself = _with(evidence, auc, auc, by("carrier", **slices))
    assert all(gate.passed for gate in evaluate_gates(itself, gates, ComparedChampion(1)))


def _with(evidence: Evidence, auc: float, champion: float, slices: tuple[SliceMetrics, ...] = ()) -> Evidence:
    return evidence.model_copy(
        update={
            "candidate": Evaluation(metrics={"roc_auc": auc}, slices=slices),
            "champion": Evaluation(metrics={"roc_auc": champion}, slices=slices),
            "comparisons": (compared(auc, champion),),
        }
    )


def test_a_metric_in_units_of_the_label_is_compared_as_a_share_of_the_champions(make_evidence: Make) -> None:
    gates = Gates(mae=MetricGate(not_worse_than_champion=0.05))
    name = "mae.not_worse_than_champion"
    loss = {"metric": "mae", "confidence": 0.95, "resamples": 1_000}
    for candidate, passes in ((2_090.0, True), (2_110.0, False)):
        evidence = make_evidence(auc=0.7, champion=(3, 0.7)).model_copy(
            update={
                "candidate": Evaluation(metrics={"mae": candidate}),
                "champion": Evaluation(metrics={"mae": 2_000.0}),
                "comparisons": (Comparison(loss=candidate - 2_000, low=candidate - 2_000, high=900.0, **loss),),
            }
        )
        found = evaluate_gates(evidence, gates, ComparedChampion(3))
        assert results(*found)[name] is passes
    assert figures(message(found, name)) == ["2,110", "3", "2,000", "0.95", "0.055", "0.05"]
