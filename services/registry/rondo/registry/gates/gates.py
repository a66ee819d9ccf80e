"""Evaluates every gate of a spec. Each result has the observed figure and its bound.

A figure that is missing or NaN fails its gate.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rondo.contracts.events.models import GateResult
from rondo.contracts.tasks.registry import task_named
from rondo.contracts.vocabularies import GateName
from rondo.registry.gates import bounds, champion_comparison, slices

if TYPE_CHECKING:
    from rondo.contracts.spec.model import Gates
    from rondo.contracts.training_evidence import Evidence, Parity
    from rondo.registry.gates.champion_comparison import ComparedChampion

MAX_PARITY_DIFFERENCE = 1e-4


def evaluate_gates(evidence: Evidence, gates: Gates, champion: ComparedChampion | None) -> tuple[GateResult, ...]:
    """Return the result of every gate of the spec. The candidate passes if all of them pass.

    `champion` is the version that serves now. The evidence may compare with another version.
    """
    task = task_named(evidence.profile.task.task)
    absolute = [_parity(evidence.parity)]
    for name, gate in gates.metrics.items():
        absolute += bounds.check(name, gate, evidence.candidate.metrics)
    fair = [] if gates.fairness is None else [slices.fairness(evidence.candidate, gates, task.primary)]
    return (*absolute, *champion_comparison.compare(evidence, gates, champion, task.primary), *fair)


def _parity(parity: Parity) -> GateResult:
    """Check that the ONNX graph predicts the same as the evaluated model that it was built from."""
    gate, bound, observed = GateName.PARITY, MAX_PARITY_DIFFERENCE, parity.max_difference
    if parity.rows < 1:
        message = "the ONNX graph was never compared with the model that it was built from"
        return GateResult(gate=gate, passed=False, observed=None, bound=bound, message=message)
    origin = "the graph that was given, for there is no native model," if parity.native is False else "the native model"
    message = f"the ONNX graph differs from {origin} by at most {observed:.2g} over {parity.rows:,} rows"
    return GateResult(gate=gate, passed=observed <= bound, observed=observed, bound=bound, message=message)
