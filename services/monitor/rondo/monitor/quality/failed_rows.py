"""The alert that a model fails on many of its rows: requests that fit the spec, and that it gives no prediction for.

A failure has no event time, so it counts in the window of the newest request that its record is logged with. A model
that fails on every row logs no request at all, and its window never ends: so the window that fills is looked at, too.
One that does so from its start has no window, and is reported by when its failures were written.
No row is to be expected to fail, so there is no test: the limits are those of repeated requests.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from rondo.contracts.events.monitoring import Statistic, Window
from rondo.contracts.vocabularies import AlertKind, QualityProblem, StatisticName
from rondo.monitor.alerts import findings
from rondo.monitor.quality.degraded import degraded
from rondo.monitor.stream.watermark import NEVER
from rondo.monitor.windows.tumbling import to_time

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from rondo.monitor.alerts.findings import Announcement, Subject
    from rondo.monitor.costs.version_cost import VersionCost

LARGEST_SHARE = 0.05
FEWEST_ROWS = 100


@dataclass
class FailedRows:
    """The alert about failed rows: its id where it is open. The newest cost was `written` then, in microseconds."""

    alert: str | None = None
    written: int = field(default=NEVER, compare=False)

    @property
    def open(self) -> dict[str, str]:
        """The id of the open alert, by its kind."""
        return {AlertKind.FAILED_ROWS: self.alert} if self.alert else {}

    def look(self, subject: Subject, costs: Mapping[int, VersionCost], length: int, passed: int) -> list[Announcement]:
        """Return what the newest window leads to that has passed, or has `FEWEST_ROWS` rows already.

        `costs` are by the start of a window of this length, see `ModelCosts.windows`.
        """
        passed_by = (at for at, cost in costs.items() if _rows(cost) and at + length <= passed)
        known = [*passed_by, *(at for at, cost in costs.items() if _rows(cost) >= FEWEST_ROWS)]
        start = max(known, default=NEVER)
        if not known or (start == NEVER == self.written):
            return []
        cost, share = costs[start], costs[start].failed / _rows(costs[start])
        window = Window(
            start=to_time(self.written if start == NEVER else start),
            end=to_time(self.written if start == NEVER else start + length),
            rows=cost.rows,
        )
        if self.alert is None and share > LARGEST_SHARE and _rows(cost) >= FEWEST_ROWS:
            return self._raise(subject, cost, share, window)
        # While a window fills its failures may come yet.
        if self.alert is not None and share < LARGEST_SHARE / 2 and start + length <= passed:
            return self.resolve(subject.model, window.end, f"{share:.1%} of the rows of a window failed")
        return []

    def resolve(self, model: str, at: datetime, why: str) -> list[Announcement]:
        """Resolve the alert if it is open."""
        alert, self.alert = self.alert, None
        return [findings.resolved(model, alert, at, why)] if alert else []

    def snapshot(self) -> FailedRows:
        return replace(self)

    def _raise(self, subject: Subject, cost: VersionCost, share: float, window: Window) -> list[Announcement]:
        statistic = Statistic(statistic=StatisticName.FAILED_ROWS, value=share, reference=0.0, threshold=LARGEST_SHARE)
        about = f"the model fails on {share:.1%} of {_rows(cost):,} rows"
        detail = (
            f"{about}. They get no answer. The log of serving has the error of the model; `rondo rollback "
            f"{subject.model}` takes the version before."
        )
        self.alert, announced = degraded(
            subject, QualityProblem.FAILED_ROWS, (statistic,), window,
            (f"{subject.model} version {subject.version}: {about}", detail), alert_version=subject.version,
        )  # fmt: skip
        return announced


def _rows(cost: VersionCost) -> int:
    return cost.rows + cost.failed
