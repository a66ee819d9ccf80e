"""The alert that a model fails on many of its rows: valid requests for which it makes no prediction.

A failure has no event time, so it counts in the window of the newest request in the same log record. A model that fails
on every row logs no request, and its window never ends. So the window that is still open is evaluated, too. A model
that fails on every row from its start has no window. Its alert has the time at which the failures were written. The
newest window opens the alert, and a window that has passed ends it, because on a dense stream the newest window is
always open. No failure is to be expected, so there is no test. The limits are those of repeated requests.
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
    """The alert about failed rows: its id if it is open, and the start of the `window` that opened it.

    `written` is when the newest cost was written. Both times are in microseconds.
    """

    alert: str | None = None
    window: int = NEVER
    written: int = field(default=NEVER, compare=False)

    @property
    def open(self) -> dict[str, str]:
        """The id of the open alert, by its kind."""
        return {AlertKind.FAILED_ROWS: self.alert} if self.alert else {}

    def look(self, subject: Subject, costs: Mapping[int, VersionCost], length: int, passed: int) -> list[Announcement]:
        """Return the announcements after the newest window that has passed, or that has `FEWEST_ROWS` rows already.

        `costs` are by the start of a window of this length, see `ModelCosts.windows`.
        """
        passed_by = [at for at, cost in costs.items() if _rows(cost) and at + length <= passed]
        known = [*passed_by, *(at for at, cost in costs.items() if _rows(cost) >= FEWEST_ROWS)]
        start = max(known, default=NEVER)
        if not known or (start == NEVER == self.written):
            return []
        cost, fails = costs[start], _share(costs[start]) > LARGEST_SHARE and _rows(costs[start]) >= FEWEST_ROWS
        if self.alert is None and fails:
            window = Window(
                start=to_time(self.written if start == NEVER else start),
                end=to_time(self.written if start == NEVER else start + length),
                rows=cost.rows,
            )
            self.window = start
            return self._raise(subject, cost, _share(cost), window)
        # An open window may still get failures. Windows before the one that opened the alert do not end it.
        ending = max((at for at in passed_by if at >= self.window), default=NEVER)
        if self.alert is None or fails or ending == NEVER or _share(costs[ending]) >= LARGEST_SHARE / 2:
            return []
        why = f"{_share(costs[ending]):.1%} of the rows of a window failed"
        return self.resolve(subject.model, to_time(ending + length), why)

    def resolve(self, model: str, at: datetime, why: str) -> list[Announcement]:
        """Resolve the alert if it is open."""
        alert, self.alert, self.window = self.alert, None, NEVER
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


def _share(cost: VersionCost) -> float:
    return cost.failed / _rows(cost)
