"""Is a candidate good enough to serve? Each gate says what it saw and the bound it was held to.

What can't be shown counts as failed: a figure that is missing or not a number never passes.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rondo.contracts.models import GateResult

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rondo.contracts.spec import Gates
    from rondo.contracts.training import Evaluation, Evidence, SliceMetric

MAX_PARITY_DIFFERENCE = 1e-4
# Two AUCs that differ by less are the same number, computed in another order.
_EPSILON = 1e-9


def judge(evidence: Evidence, gates: Gates, champion: int | None, *, comparable: bool = True) -> tuple[GateResult, ...]:
    """Return what every gate of the spec saw; the candidate passes when all of them do.

    `champion` is the version that serves now. `comparable` says whether it could be scored on the candidate's
    holdout at all; where it could not, the gates against it are passed and say so.
    """
    results = [_infrastructure(evidence)]
    candidate = evidence.candidate
    if gates.roc_auc.min is not None:
        results.append(_minimum(candidate, gates.roc_auc.min))
    if gates.roc_auc.not_worse_than_champion is not None:
        skipped = _no_comparison("roc_auc.not_worse_than_champion", evidence, champion, comparable)
        results.append(skipped or _not_worse(evidence, gates.roc_auc.not_worse_than_champion))
    for column in gates.slices:
        skipped = _no_comparison(f"slices.{column}", evidence, champion, comparable)
        results.append(skipped or _slices(evidence, column, gates))
    if gates.fairness is not None:
        results.append(_fairness(candidate, gates.fairness.by, gates.fairness.max_gap, gates.min_slice_rows))
    return tuple(results)


def _infrastructure(evidence: Evidence) -> GateResult:
    """Hold the ONNX graph to the native model: what serves must be what was evaluated."""
    gate, observed, rows = "infrastructure.parity", evidence.parity.max_abs_difference, evidence.parity.rows
    if rows < 1:
        return _failed(gate, "the ONNX graph was never compared with the native model", None, MAX_PARITY_DIFFERENCE)
    message = f"the ONNX graph differs from the native model by at most {observed:.2g} over {rows:,} rows"
    return _result(gate, observed <= MAX_PARITY_DIFFERENCE, message, observed, MAX_PARITY_DIFFERENCE)


def _minimum(candidate: Evaluation, bound: float) -> GateResult:
    observed = candidate.metrics.get("roc_auc")
    if observed is None or math.isnan(observed):
        return _failed("roc_auc.min", "the holdout gave no ROC AUC", None, bound)
    message = f"ROC AUC {observed:.3f} on the holdout, at least {bound:.3f} asked"
    return _result("roc_auc.min", observed >= bound - _EPSILON, message, observed, bound)


def _no_comparison(gate: str, evidence: Evidence, champion: int | None, comparable: bool) -> GateResult | None:  # noqa: FBT001
    """Return the result of a gate against the champion that has nothing to compare with; None when it has."""
    if champion is None:
        return _passed(gate, "no version serves yet: nothing to compare with", None, None)
    if not comparable:
        message = f"version {champion}, which serves, has other features: it can't be scored on this holdout"
        return _passed(gate, message, None, None)
    if evidence.champion is None or evidence.champion_version != champion:
        scored = f"version {evidence.champion_version}" if evidence.champion else "no version"
        message = f"version {champion} serves, but {scored} was scored on the same holdout: train again"
        return _failed(gate, message, None, None)
    return None


def _not_worse(evidence: Evidence, tolerance: float) -> GateResult:
    gate = "roc_auc.not_worse_than_champion"
    observed = evidence.candidate.metrics.get("roc_auc", math.nan)
    reference = evidence.champion.metrics.get("roc_auc", math.nan) if evidence.champion else math.nan
    bound = reference - tolerance
    if math.isnan(observed) or math.isnan(bound):
        return _failed(gate, "the holdout gave no ROC AUC for the candidate or for the champion", None, None)
    message = (
        f"ROC AUC {observed:.3f}, version {evidence.champion_version} has {reference:.3f} on the same holdout; "
        f"at most {tolerance:g} less is allowed"
    )
    return _result(gate, observed >= bound - _EPSILON, message, observed, bound)


def _slices(evidence: Evidence, column: str, gates: Gates) -> GateResult:
    """Find the slice that lost most against the champion, among those with enough rows."""
    gate, bound = f"slices.{column}", -gates.slice_tolerance
    theirs = dict(_known(evidence.champion, column, 1)) if evidence.champion else {}
    if not any(each.column == column for each in evidence.candidate.slices):
        return _failed(gate, f"the evidence has no figures by {column}", None, bound)
    changes = {
        value: auc - theirs[value]
        for value, auc in _known(evidence.candidate, column, gates.min_slice_rows)
        if value in theirs
    }
    if not changes:
        message = f"no slice by {column} has {gates.min_slice_rows:,} rows of both outcomes: nothing to compare"
        return _passed(gate, message, None, bound)
    worst = min(changes, key=lambda value: (changes[value], value))
    message = (
        f"of {len(changes)} slices by {column}, {worst} changed worst: {changes[worst]:+.3f} ROC AUC against version "
        f"{evidence.champion_version}; at most {gates.slice_tolerance:g} less is allowed"
    )
    return _result(gate, changes[worst] >= bound - _EPSILON, message, changes[worst], bound)


def _fairness(candidate: Evaluation, by: str, max_gap: float, min_rows: int) -> GateResult:
    """Hold the gap of ROC AUC between the best and the worst group of `by` to `max_gap`."""
    gate = f"fairness.{by}"
    if not any(each.column == by for each in candidate.slices):
        return _failed(gate, f"the evidence has no figures by {by}", None, max_gap)
    groups = dict(_known(candidate, by, min_rows))
    if len(groups) < 2:  # noqa: PLR2004 - a gap is between two
        message = f"fewer than two groups by {by} have {min_rows:,} rows of both outcomes: no gap to measure"
        return _passed(gate, message, None, max_gap)
    low, high = min(groups, key=lambda g: groups[g]), max(groups, key=lambda g: groups[g])
    gap = groups[high] - groups[low]
    message = (
        f"ROC AUC is {groups[high]:.3f} for {by} {high} and {groups[low]:.3f} for {low}: "
        f"a gap of {gap:.3f}, at most {max_gap:g} is allowed"
    )
    return _result(gate, gap <= max_gap + _EPSILON, message, gap, max_gap)


def _known(evaluation: Evaluation, column: str, min_rows: int) -> Iterator[tuple[str, float]]:
    """Yield value and ROC AUC of the slices by `column` that have enough rows and a figure."""
    for each in evaluation.slices:
        if each.column == column and each.rows >= min_rows and _has_figure(each):
            yield each.value, each.roc_auc or 0.0


def _has_figure(each: SliceMetric) -> bool:
    return each.roc_auc is not None and not math.isnan(each.roc_auc)


def _result(gate: str, passed: bool, message: str, observed: float | None, bound: float | None) -> GateResult:  # noqa: FBT001
    return GateResult(gate=gate, passed=passed, observed=observed, bound=bound, message=message)


def _passed(gate: str, message: str, observed: float | None, bound: float | None) -> GateResult:
    return GateResult(gate=gate, passed=True, observed=observed, bound=bound, message=message)


def _failed(gate: str, message: str, observed: float | None, bound: float | None) -> GateResult:
    return GateResult(gate=gate, passed=False, observed=observed, bound=bound, message=message)
