"""Gates on slices: the largest loss of a slice against the champion, and the fairness gap between groups."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rondo.contracts.events.models import GateResult
from rondo.contracts.figures import figure
from rondo.contracts.tasks.registry import METRICS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rondo.contracts.spec.model import Gates
    from rondo.contracts.tasks.metrics import Metric
    from rondo.contracts.training_evidence import Evaluation, Evidence

# Smaller differences are rounding errors of another order of summation.
EPSILON = 1e-9


def worst_change(evidence: Evidence, column: str, gates: Gates, primary: str) -> GateResult:
    """Check the slice with the largest loss against the champion, among the slices with enough rows."""
    gate, bound, metric = f"slices.{column}", gates.slice_tolerance, METRICS[gates.slice_metric or primary]
    if (absent := _absent(evidence.candidate, gate, column, bound)) is not None:
        return absent
    champion = dict(_values(evidence.champion, column, metric.name, 1)) if evidence.champion else {}
    found = _values(evidence.candidate, column, metric.name, gates.min_slice_rows)
    losses = {value: _loss(metric, figure, champion[value]) for value, figure in found if value in champion}
    if not losses:
        message = f"no slice by {column} has {gates.min_slice_rows:,} rows with a {metric.title}: nothing to compare"
        return GateResult(gate=gate, passed=True, observed=None, bound=bound, message=message)
    worst = max(losses, key=lambda value: (losses[value], value))
    share = " of the champion's value" if metric.relative else ""
    message = (
        f"of {len(losses)} slices by {column}, {worst} changed worst: worse by {losses[worst]:.3f}{share} in "
        f"{metric.title} than version {evidence.champion_version}; at most {bound:g} is allowed"
    )
    passed = losses[worst] <= bound + EPSILON
    return GateResult(gate=gate, passed=passed, observed=losses[worst], bound=bound, message=message)


def fairness(candidate: Evaluation, gates: Gates, primary: str) -> GateResult:
    """Check the difference between the largest and the smallest value of a metric over the groups."""
    assert gates.fairness is not None  # noqa: S101 - else there is no such gate
    by, bound, gate = gates.fairness.by, gates.fairness.max_gap, f"fairness.{gates.fairness.by}"
    if (absent := _absent(candidate, gate, by, bound)) is not None:
        return absent
    name = gates.fairness.metric or primary
    title, form = (METRICS[name].title, METRICS[name].form) if name in METRICS else (name.replace("_", " "), ".3f")
    groups = dict(_values(candidate, by, name, gates.min_slice_rows))
    if len(groups) < 2:  # noqa: PLR2004 - a gap is between two
        message = f"fewer than two groups by {by} have {gates.min_slice_rows:,} rows with a {title}: no gap to measure"
        return GateResult(gate=gate, passed=True, observed=None, bound=bound, message=message)
    low, high = min(groups, key=lambda g: groups[g]), max(groups, key=lambda g: groups[g])
    gap = groups[high] - groups[low]
    message = (
        f"{title} is {figure(groups[high], form)} for {by} {high} and {figure(groups[low], form)} for {low}: "
        f"a gap of {figure(gap, form)}, at most {figure(bound)} is allowed"
    )
    return GateResult(gate=gate, passed=gap <= bound + EPSILON, observed=gap, bound=bound, message=message)


def _loss(metric: Metric, value: float, reference: float) -> float:
    """Return how much worse a value is. A metric in units of the label is a share of the reference."""
    loss = metric.loss(value, reference)
    return as_share(loss, reference) if metric.relative else loss


def as_share(loss: float, reference: float) -> float:
    """Return a loss as a share of the reference. Infinite if the reference is 0 and the loss is not."""
    return loss / abs(reference) if reference else math.copysign(math.inf, loss) if loss else 0.0


def _absent(candidate: Evaluation, gate: str, column: str, bound: float) -> GateResult | None:
    """Return the failure of a gate whose column the evidence lacks. None if it has the column."""
    if any(each.column == column for each in candidate.slices):
        return None
    message = f"the evidence has no figures by {column}: the spec did not ask for them at the time, so train again"
    return GateResult(gate=gate, passed=False, observed=None, bound=bound, message=message)


def _values(evaluation: Evaluation, column: str, metric: str, min_rows: int) -> Iterator[tuple[str, float]]:
    """Yield value and metric of the slices by `column` that have enough rows and a figure."""
    for each in evaluation.slices:
        value = each.metrics.get(metric, math.nan)
        if each.column == column and each.rows >= min_rows and not math.isnan(value):
            yield each.value, value
