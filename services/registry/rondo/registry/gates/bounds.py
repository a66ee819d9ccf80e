"""Gates on the absolute value of a metric on the holdout: a minimum and a maximum."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rondo.contracts.events.models import GateResult
from rondo.contracts.tasks.registry import METRICS
from rondo.registry.gates.slices import EPSILON

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rondo.contracts.spec.model import MetricGate


def check(name: str, gate: MetricGate, metrics: Mapping[str, float]) -> Iterator[GateResult]:
    """Yield the results of the bounds of a gate: `<metric>.min` and `<metric>.max`."""
    if gate.min is not None:
        yield _bound(name, "min", gate.min, metrics)
    if gate.max is not None:
        yield _bound(name, "max", gate.max, metrics)


def _bound(name: str, end: str, bound: float, metrics: Mapping[str, float]) -> GateResult:
    metric, observed = METRICS[name], metrics.get(name, math.nan)
    gate = f"{name}.{end}"
    if math.isnan(observed):
        message = f"the holdout gave no {metric.title}"
        return GateResult(gate=gate, passed=False, observed=None, bound=bound, message=message)
    passed = observed >= bound - EPSILON if end == "min" else observed <= bound + EPSILON
    limit = "minimum" if end == "min" else "maximum"
    message = f"{metric.written(observed)} on the holdout, the {limit} is {metric.figure(bound)}"
    return GateResult(gate=gate, passed=passed, observed=observed, bound=bound, message=message)
