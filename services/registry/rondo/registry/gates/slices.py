"""Gates on slices: the slice that lost most against the champion, and the fairness gap between groups."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rondo.contracts.events.models import GateResult

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rondo.contracts.spec.model import FairnessGate, Gates
    from rondo.contracts.training_evidence import Evaluation, Evidence

# Differences below this are rounding of another order of summation.
EPSILON = 1e-9


def worst_change(evidence: Evidence, column: str, gates: Gates) -> GateResult:
    """Check the slice that lost most ROC AUC against the champion, among those with enough rows."""
    gate, bound = f"slices.{column}", -gates.slice_tolerance
    if (absent := _absent(evidence.candidate, gate, column, bound)) is not None:
        return absent
    champion = dict(_aucs(evidence.champion, column, 1)) if evidence.champion else {}
    candidate_aucs = _aucs(evidence.candidate, column, gates.min_slice_rows)
    changes = {value: auc - champion[value] for value, auc in candidate_aucs if value in champion}
    if not changes:
        message = f"no slice by {column} has {gates.min_slice_rows:,} rows of both outcomes: nothing to compare"
        return GateResult(gate=gate, passed=True, observed=None, bound=bound, message=message)
    worst = min(changes, key=lambda value: (changes[value], value))
    message = (
        f"of {len(changes)} slices by {column}, {worst} changed worst: {changes[worst]:+.3f} ROC AUC against version "
        f"{evidence.champion_version}; at most {gates.slice_tolerance:g} less is allowed"
    )
    passed = changes[worst] >= bound - EPSILON
    return GateResult(gate=gate, passed=passed, observed=changes[worst], bound=bound, message=message)


def fairness(candidate: Evaluation, bounds: FairnessGate, min_rows: int) -> GateResult:
    """Check the gap of ROC AUC between the best and the worst group."""
    by, bound, gate = bounds.by, bounds.max_gap, f"fairness.{bounds.by}"
    if (absent := _absent(candidate, gate, by, bound)) is not None:
        return absent
    groups = dict(_aucs(candidate, by, min_rows))
    if len(groups) < 2:  # noqa: PLR2004 - a gap is between two
        message = f"fewer than two groups by {by} have {min_rows:,} rows of both outcomes: no gap to measure"
        return GateResult(gate=gate, passed=True, observed=None, bound=bound, message=message)
    low, high = min(groups, key=lambda g: groups[g]), max(groups, key=lambda g: groups[g])
    gap = groups[high] - groups[low]
    message = (
        f"ROC AUC is {groups[high]:.3f} for {by} {high} and {groups[low]:.3f} for {low}: "
        f"a gap of {gap:.3f}, at most {bound:g} is allowed"
    )
    return GateResult(gate=gate, passed=gap <= bound + EPSILON, observed=gap, bound=bound, message=message)


def _absent(candidate: Evaluation, gate: str, column: str, bound: float) -> GateResult | None:
    """Return the failure of a gate whose column the evidence lacks; None if it has the column."""
    if any(each.column == column for each in candidate.slices):
        return None
    message = f"the evidence has no figures by {column}: the spec did not ask for them at the time, so train again"
    return GateResult(gate=gate, passed=False, observed=None, bound=bound, message=message)


def _aucs(evaluation: Evaluation, column: str, min_rows: int) -> Iterator[tuple[str, float]]:
    """Yield value and ROC AUC of the slices by `column` that have enough rows and a figure."""
    for each in evaluation.slices:
        enough = each.column == column and each.rows >= min_rows
        if enough and each.roc_auc is not None and not math.isnan(each.roc_auc):
            yield each.value, each.roc_auc
