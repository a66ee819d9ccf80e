"""Evaluates every gate of a spec. Each result has the observed figure and its bound.

A figure that is missing or not a number fails its gate.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rondo.contracts.events.models import GateResult
from rondo.registry.gates import champion_comparison, slices

if TYPE_CHECKING:
    from rondo.contracts.spec.model import Gates
    from rondo.contracts.training_evidence import Evaluation, Evidence, Parity
    from rondo.registry.gates.champion_comparison import ComparedChampion

MAX_PARITY_DIFFERENCE = 1e-4


def evaluate_gates(evidence: Evidence, gates: Gates, champion: ComparedChampion | None) -> tuple[GateResult, ...]:
    """Return the result of every gate of the spec; the candidate passes when all of them do.

    `champion` is the version that serves now, whichever version the evidence compares with.
    """
    candidate, minimum = evidence.candidate, gates.roc_auc.min if gates.roc_auc else None
    absolute = [_infrastructure(evidence.parity)]
    if minimum is not None:
        absolute.append(_minimum(candidate, minimum))
    fair = [] if gates.fairness is None else [slices.fairness(candidate, gates.fairness, gates.min_slice_rows)]
    return (*absolute, *champion_comparison.compare(evidence, gates, champion), *fair)


def _infrastructure(parity: Parity) -> GateResult:
    """Compare the ONNX graph with the native model: what serves must be what was evaluated."""
    gate, bound, observed = "infrastructure.parity", MAX_PARITY_DIFFERENCE, parity.max_abs_difference
    if parity.rows < 1:
        message = "the ONNX graph was never compared with the native model"
        return GateResult(gate=gate, passed=False, observed=None, bound=bound, message=message)
    message = f"the ONNX graph differs from the native model by at most {observed:.2g} over {parity.rows:,} rows"
    return GateResult(gate=gate, passed=observed <= bound, observed=observed, bound=bound, message=message)


def _minimum(candidate: Evaluation, bound: float) -> GateResult:
    gate, observed = "roc_auc.min", candidate.metrics.get("roc_auc")
    if observed is None or math.isnan(observed):
        message = "the holdout gave no ROC AUC"
        return GateResult(gate=gate, passed=False, observed=None, bound=bound, message=message)
    message = f"ROC AUC {observed:.3f} on the holdout, the minimum is {bound:.3f}"
    passed = observed >= bound - slices.EPSILON
    return GateResult(gate=gate, passed=passed, observed=observed, bound=bound, message=message)
