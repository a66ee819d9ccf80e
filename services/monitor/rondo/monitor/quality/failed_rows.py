"""The alert that a model fails on many of its rows: requests that fit the spec, and that it gives no prediction for.

A failure has no event time, so it counts in the window of the newest request that its record is logged with. A model
that fails on every row logs no request at all, and its window never ends: so the window that fills is looked at, too.
No row is to be expected to fail, so there is no test: the limits are those of repeated requests.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rondo.contracts.events.monitoring import Statistic, Window
from rondo.contracts.vocabularies import AlertKind, QualityProblem, StatisticName
from rondo.monitor.alerts import findings
from rondo.monitor.quality.degraded import degraded
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
    """The alert about failed rows: its id where it is open."""

    alert: str | None = None

    @property
    def open(self) -> dict[str, str]:
        """The id of the open alert, by its kind."""
        return {AlertKind.FAILED_ROWS: self.alert} if self.alert else {}

    def look(self, subject: Subject, costs: Mapping[int, VersionCost], length: int, passed: int) -> list[Announcement]:
        """Return what the newest window of `FEWEST_ROWS` rows leads to; `costs` are by the start of a window."""
        start = max((at for at, cost in costs.items() if cost.rows + cost.failed >= FEWEST_ROWS), default=None)
        if start is None:
            return []
        cost, end = costs[start], to_time(start + length)
        share = cost.failed / (cost.rows + cost.failed)
        if self.alert is None and share > LARGEST_SHARE:
            return self._raise(subject, cost, share, Window(start=to_time(start), end=end, rows=cost.rows))
        # While a window fills its failures may come yet.
        if self.alert is not None and share < LARGEST_SHARE / 2 and start + length <= passed:
            return self.resolve(subject.model, end, f"{share:.1%} of the rows of a window failed")
        return []

    def resolve(self, model: str, at: datetime, why: str) -> list[Announcement]:
        """Resolve the alert if it is open."""
        alert, self.alert = self.alert, None
        return [findings.resolved(model, alert, at, why)] if alert else []

    def snapshot(self) -> FailedRows:
        return replace(self)

    def _raise(self, subject: Subject, cost: VersionCost, share: float, window: Window) -> list[Announcement]:
        statistic = Statistic(statistic=StatisticName.FAILED_ROWS, value=share, reference=0.0, threshold=LARGEST_SHARE)
        about = f"the model fails on {share:.1%} of {cost.rows + cost.failed:,} rows"
        detail = (
            f"{about}. They get no answer. The log of serving has the error of the model; `rondo rollback "
            f"{subject.model}` takes the version before."
        )
        self.alert, announced = degraded(
            subject, QualityProblem.FAILED_ROWS, (statistic,), window,
            (f"{subject.model} version {subject.version}: {about}", detail), alert_version=subject.version,
        )  # fmt: skip
        return announced
