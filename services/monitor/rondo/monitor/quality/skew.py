"""A check of whether features were published with other values than they were served with, and its alert.

Ingestion compares each batch with the predictions of its cases. No difference is to be expected by chance, so there is
no test: an alert opens if more than a hundredth of the cases differ, and at least five cases. Fewer differences count
as corrections. The newest batches count until they have `ENOUGH_CASES`. So small batches suffice together, and large
wrong batches no longer count once the newest ones are right.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from rondo.contracts.events.monitoring import Statistic, Window
from rondo.contracts.vocabularies import AlertKind, QualityProblem, StatisticName
from rondo.monitor.alerts import findings
from rondo.monitor.quality.degraded import degraded

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from rondo.contracts.events.data import SkewExample, SkewMeasured
    from rondo.monitor.alerts.findings import Announcement, Subject

ENOUGH_CASES = 1_000
MOST_BATCHES = 50
LARGEST_SHARE = 0.01
FEWEST_CASES = 5
_MOST_NAMED = 3


@dataclass(frozen=True)
class ServedSkew:
    """The newest measurements of a model, the newest event times first. `number` counts all that have arrived."""

    number: int = 0
    batches: tuple[SkewMeasured, ...] = ()

    def plus(self, measured: SkewMeasured) -> ServedSkew:
        """Return the measurements with a further one, without those that are no longer needed."""
        key = measured.dataset, measured.batch_id
        others = [each for each in self.batches if (each.dataset, each.batch_id) != key]
        newest = sorted([measured, *others], key=lambda each: (each.event_time_to, each.batch_id), reverse=True)
        kept: list[SkewMeasured] = []
        cases = 0
        for each in newest[:MOST_BATCHES]:
            if cases >= ENOUGH_CASES:
                break
            kept.append(each)
            cases += each.joined
        return ServedSkew(self.number + 1, tuple(kept))

    def cleared(self) -> ServedSkew:
        return ServedSkew(self.number + 1)

    @property
    def cases(self) -> int:
        """The number of cases that were compared."""
        return sum(each.joined for each in self.batches)


NOTHING_MEASURED = ServedSkew()


@dataclass(frozen=True)
class FeatureShare:
    """The number of `cases` with a feature, and of those whose value differs.

    `largest` has the largest differences of the newest batch that has any.
    """

    feature: str
    cases: int
    differing: int
    largest: tuple[SkewExample, ...]

    @property
    def share(self) -> float:
        return self.differing / self.cases

    @property
    def is_skewed(self) -> bool:
        """True if more cases differ than are usually corrected in hindsight."""
        return self.differing >= FEWEST_CASES and self.share > LARGEST_SHARE


def shares(batches: Sequence[SkewMeasured]) -> list[FeatureShare]:
    """Return the features with values that differ, the largest share first."""
    found = []
    for name in {name for batch in batches for name in batch.compared}:
        cases = sum(batch.joined for batch in batches if name in batch.compared)
        mine = [each for batch in batches for each in batch.features if each.feature == name]
        if mine and cases:
            found.append(FeatureShare(name, cases, sum(each.differing for each in mine), mine[0].largest))
    return sorted(found, key=lambda each: (-each.share, each.feature))


@dataclass
class SkewAlarm:
    """The alert about skew. `number` is that of the last evaluated measurement.

    `alert` is the id of the open alert, or None.
    """

    number: int = 0
    alert: str | None = None
    measured: ServedSkew = field(default_factory=ServedSkew, compare=False)

    @property
    def open(self) -> dict[str, str]:
        """The id of the open alert, by its kind."""
        return {AlertKind.SKEW: self.alert} if self.alert else {}

    def look(self, subject: Subject, measured: ServedSkew) -> list[Announcement]:
        """Return the finding and the alert that follow from measurements, or the end of the alert."""
        self.measured = measured
        if measured.number <= self.number or not measured.cases:
            return []
        self.number = measured.number
        skewed = [each for each in shares(measured.batches) if each.is_skewed]
        at = max(each.event_time_to for each in measured.batches)
        if skewed and self.alert is None:
            return self._raise(subject, measured, skewed, at)
        if not skewed and self.alert is not None:
            return self.resolve(subject.model, at, f"{measured.cases:,} cases were published as they were served")
        return []

    def resolve(self, model: str, at: datetime, why: str) -> list[Announcement]:
        """Resolve the alert if it is open."""
        alert, self.alert = self.alert, None
        return [findings.resolved(model, alert, at, why)] if alert else []

    def snapshot(self) -> SkewAlarm:
        return replace(self)

    def _raise(
        self, subject: Subject, measured: ServedSkew, skewed: Sequence[FeatureShare], at: datetime
    ) -> list[Announcement]:
        since = min(each.event_time_from for each in measured.batches if each.features)
        statistics = tuple(
            Statistic(
                feature=each.feature, statistic=StatisticName.SKEW, value=each.share, reference=0.0,
                threshold=LARGEST_SHARE,
            )
            for each in skewed
        )  # fmt: skip
        named = "; ".join(map(_described, skewed[:_MOST_NAMED]))
        more = f"; and {len(skewed) - _MOST_NAMED} more features" if len(skewed) > _MOST_NAMED else ""
        detail = (
            f"{named}{more}. Compare how the requests and the batches compute them: a training takes the served "
            f"values where it has them, and the published ones elsewhere. `rondo drift {subject.model}` has examples."
        )
        title = f"{subject.model}: features were published with other values than they were served with"
        window = Window(start=since, end=at, rows=measured.cases)
        self.alert, announced = degraded(subject, QualityProblem.SKEW, statistics, window, (title, detail))
        return announced


def _described(each: FeatureShare) -> str:
    first = each.largest[0] if each.largest else None
    shown = f", such as {_value(first.served)} served and {_value(first.published)} published" if first else ""
    return f"{each.feature} differs in {each.share:.1%} of {each.cases:,} cases{shown}"


def _value(text: str | None) -> str:
    return "no value" if text is None else text
