"""The status of each column of the champion."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rondo.chassis.profiles.projections import is_projection
from rondo.contracts.events.base import Value
from rondo.contracts.events.monitoring import Statistic
from rondo.contracts.events.training import FeatureImportance
from rondo.contracts.times import Utc
from rondo.contracts.vocabularies import StatisticName
from rondo.monitor.alerts import findings
from rondo.monitor.estimates.reliance import is_hardly_used
from rondo.monitor.evidence.verdicts import decimal, expected_at, verdicts
from rondo.monitor.windows.tumbling import to_time

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rondo.contracts.training_evidence import Importance
    from rondo.monitor.evidence.component_sums import Component
    from rondo.monitor.evidence.component_tests.watched import Alarm
    from rondo.monitor.evidence.verdicts import Verdict
    from rondo.monitor.evidence.version_evidence import VersionEvidence

_MOST_WORDS = 3
MISSING = "(missing)"
"""The text for a missing value of a slice."""


class ColumnStatus(Value):
    """The status of a column of the champion. `column` is None for the loss of the predictions.

    With a `value` it is about the loss of a slice: the rows where the column has that value. A missing value is "". In
    the group `detectors` it is the name of a figure of a user's detector, and in `gaps` two groups and a rate.
    `judged` is true if there are enough rows for a change to be evident. Otherwise there are `rows` of about `needed`
    rows, and the others are expected at `expected`. If the column is `out_of_reach`, too many rows are missing to wait
    for. `evidence` is the decimal logarithm of the largest e-value of the column, which alarms at `threshold`. An alarm
    has the statistics of the change, `since` with its bounds, and the `change` in words. `importance` is that of the
    feature for the model, if it is known. `hardly_used` is true if the loss would hardly rise without the feature.
    """

    group: str
    column: str | None
    value: str | None = None
    judged: bool
    rows: int
    needed: int
    expected: Utc | None
    out_of_reach: bool = False
    evidence: float
    threshold: float
    statistics: tuple[Statistic, ...] = ()
    since: Utc | None = None
    since_earliest: Utc | None = None
    since_latest: Utc | None = None
    change: str | None = None
    importance: FeatureImportance | None = None
    hardly_used: bool = False

    @property
    def name(self) -> str:
        """The column, `performance`, or a slice such as `city a`."""
        if self.column is None:
            return "performance"
        return self.column if self.value is None else f"{self.column} {self.value or MISSING}"

    @property
    def changed(self) -> bool:
        """True if the evidence has reached its threshold."""
        return self.since is not None


def column_statuses(
    evidence: VersionEvidence | None, false_alarm_rate: float, importance: Importance | None = None
) -> tuple[ColumnStatus, ...]:
    """Return the status of each watched column, by group. Empty before any evidence."""
    if evidence is None:
        return ()
    alarms = list(evidence.alarms(false_alarm_rate))
    return tuple(
        _status(
            each,
            [alarm for alarm in alarms if _subject(alarm.component) == _subject(each)],
            importance,
        )
        for each in verdicts(evidence, false_alarm_rate)
    )


def _subject(of: Component | Verdict) -> tuple[str, str | None, str | None]:
    return of.group, of.column, of.value


def _status(verdict: Verdict, alarms: Sequence[Alarm], importance: Importance | None) -> ColumnStatus:
    taken = verdict.taken
    expected = (
        None
        if verdict.judged or verdict.out_of_reach
        else expected_at(verdict.missing, taken.rows, taken.first, taken.last)
    )
    change, is_slice = alarms[0].change if alarms else None, verdict.value is not None
    statistics = tuple(findings.statistic_of(alarm) for alarm in alarms)
    return ColumnStatus(
        group=verdict.group,
        column=verdict.column,
        value=verdict.value,
        judged=verdict.judged,
        rows=verdict.rows,
        needed=verdict.needed,
        expected=None if expected is None else to_time(expected),
        out_of_reach=verdict.out_of_reach and not verdict.judged,
        evidence=decimal(verdict.evidence),
        threshold=decimal(verdict.threshold),
        statistics=statistics,
        since=to_time(change.since) if change else None,
        since_earliest=to_time(change.earliest) if change else None,
        since_latest=to_time(change.latest) if change else None,
        change=described_change(statistics) if statistics else None,
        importance=importance.of(verdict.column) if importance and verdict.column and not is_slice else None,
        hardly_used=not is_slice and is_hardly_used(importance, verdict.column),
    )


def described_change(statistics: Sequence[Statistic]) -> str:
    """Return the change of a column in words, such as `values are higher; missing 0.2% before, 4.1% now`."""
    shown = "; ".join(_words(each) for each in statistics[:_MOST_WORDS])
    return shown + (f"; and {len(statistics) - _MOST_WORDS} more" if len(statistics) > _MOST_WORDS else "")


def _words(statistic: Statistic) -> str:
    before, now = statistic.reference or 0.0, statistic.value
    values = "weighted sums of the features" if is_projection(statistic.feature) else "values"
    match statistic.statistic:
        case StatisticName.LEVEL:
            return f"{values} are {'higher' if now > before else 'lower'}"
        case StatisticName.SPREAD:
            return f"{values} are {'more' if now > before else 'less'} spread out"
        case StatisticName.LOSS:
            return f"loss {before:.3f} before, {now:.3f} now"
        case StatisticName.CALIBRATION:
            direction = "low" if now > before else "high"
            return f"predictions are too {direction}: outcome minus prediction {before:+.3f} before, {now:+.3f} now"
        case StatisticName.SHARE:
            return f"share of {statistic.category} {before:.1%} before, {now:.1%} now"
        case name:
            is_gap = name in {StatisticName.SELECTION_RATE_GAP, StatisticName.ACCURACY_GAP}
            form = "+.1%" if is_gap else ".1%" if name in list(StatisticName) else ".4g"
            return f"{name.replace('_', ' ')} {before:{form}} before, {now:{form}} now"
