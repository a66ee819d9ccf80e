"""The verdict on one window: every figure, and which of them are beyond both the spec's thresholds and chance.

`spec.monitor.false_alarm_rate` is shared out: a third to each kind of finding, and that evenly over the columns
(Bonferroni, "Teoria statistica delle classi e calcolo delle probabilità", 1936). By the union bound a window without
any change is then beyond a threshold with that probability at most, whatever the columns have to do with each other.
The rows are taken as independent: where they are not (a week's weather), the spec's own threshold has to be the wider.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rondo.monitor.alerts.hysteresis import KINDS
from rondo.monitor.detectors import data_quality, performance, population_drift

if TYPE_CHECKING:
    from rondo.contracts.events.monitoring import FeatureDrift, QualityProblem
    from rondo.contracts.spec.model import Monitor
    from rondo.monitor.alerts.hysteresis import Kind
    from rondo.monitor.detectors.performance import Performance
    from rondo.monitor.detectors.reference import Reference
    from rondo.monitor.windows.window_counts import Sketch


@dataclass(frozen=True)
class Verdict:
    """`enough` rows (and `enough_labelled` ones) are what the spec's `min_rows` asks for; without them: no verdict."""

    features: tuple[FeatureDrift, ...]
    problems: tuple[QualityProblem, ...]
    performance: Performance | None
    enough: bool
    enough_labelled: bool

    @property
    def drifted(self) -> tuple[FeatureDrift, ...]:
        """The columns over their threshold, the farthest first."""
        return tuple(sorted((f for f in self.features if f.psi > f.threshold), key=lambda f: -f.psi))

    def over(self, kind: Kind) -> bool | None:
        """Tell whether the window is over the threshold; None where there are too few rows to tell."""
        if kind == "performance":
            return self.performance.degraded if self.performance and self.enough_labelled else None
        if not self.enough:
            return None
        return bool(self.drifted if kind == "drift" else self.problems)


def judge(sketch: Sketch, reference: Reference, rule: Monitor) -> Verdict:
    """Hold a window against its reference."""
    share = rule.false_alarm_rate / len(KINDS)
    slots = reference.binning.slots
    tail = share / len(slots)
    return Verdict(
        tuple(population_drift.compare(slot, sketch.counts, reference.counts, rule.drift, tail) for slot in slots),
        tuple(p for slot in slots for p in data_quality.problems(slot, sketch.counts, reference.counts, tail / 2)),
        performance.assess(sketch.labelled, reference.roc_auc, reference.roc_auc_error, rule.performance_drop, share),
        enough=sketch.rows >= rule.min_rows,
        enough_labelled=int(sketch.labelled.sum()) >= rule.min_rows,
    )
