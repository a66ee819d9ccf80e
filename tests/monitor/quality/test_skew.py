"""Served and published values that differ too often for corrections, and the course of the alert."""

from __future__ import annotations

from datetime import timedelta

from rondo.contracts.events.data import FeatureSkew, SkewExample, SkewMeasured
from rondo.contracts.events.monitoring import AlertRaised, AlertResolved, DataQualityDegraded
from rondo.monitor.alerts.findings import Subject
from rondo.monitor.quality.skew import ServedSkew, SkewAlarm, shares
from rondo.monitor.status.skew_status import skew_status
from rondo.monitor.windows.tumbling import to_time

from tests.monitor.builders import EPOCH, MODEL

SUBJECT = Subject(MODEL, 3, 0.01, 0)
DAY = timedelta(days=1)


def measured(day: int, joined: int = 100, served: int = 120, **differing: int) -> SkewMeasured:
    example = SkewExample(entity="a", event_time=EPOCH, served="107.0", published=None)
    return SkewMeasured(
        model=MODEL,
        dataset="loans",
        batch_id=f"day-{day}",
        event_time_from=EPOCH + day * DAY,
        event_time_to=EPOCH + (day + 1) * DAY,
        served=served,
        joined=joined,
        compared=("x", "city", *differing),
        features=tuple(FeatureSkew(feature=n, differing=d, largest=(example,)) for n, d in differing.items()),
    )


def after(*batches: SkewMeasured) -> ServedSkew:
    found = ServedSkew()
    for each in batches:
        found = found.plus(each)
    return found


def test_values_that_differ_open_one_alert_which_ends_with_batches_that_do_not() -> None:
    alarm, wrong = SkewAlarm(), after(measured(0, x=40), measured(1, x=60, city=1))
    finding, alert = (each.event for each in alarm.look(SUBJECT, wrong))
    assert isinstance(finding, DataQualityDegraded)
    assert isinstance(alert, AlertRaised)
    (figure,) = finding.statistics
    assert (finding.problem, figure.feature, figure.statistic, figure.value) == ("skew", "x", "skew", 0.5)
    assert (finding.since, finding.window.rows) == (EPOCH, 200)
    assert (alert.kind, alert.model_version, alert.raised_at) == ("skew", None, EPOCH + 2 * DAY)
    assert [part in alert.detail for part in ("50.0% of 200", "107.0 served", "no value published")] == [True] * 3
    assert alarm.open == {"skew": alert.alert_id}
    assert alarm.look(SUBJECT, wrong.plus(measured(2, x=50))) == []
    (resolved,) = alarm.look(SUBJECT, after(*wrong.batches, measured(2), measured(3, joined=1_000)))
    assert isinstance(resolved.event, AlertResolved)
    assert (resolved.event.alert_id, alarm.open) == (alert.alert_id, {})


def test_corrections_of_a_few_cases_are_no_skew() -> None:
    assert SkewAlarm().look(SUBJECT, after(measured(0, x=4))) == []
    assert SkewAlarm().look(SUBJECT, after(measured(0, joined=1_000, x=10))) == []
    assert len(SkewAlarm().look(SUBJECT, after(measured(0, joined=1_000, x=11)))) == 2


def test_small_batches_count_together() -> None:
    batches = [measured(day, joined=10, x=1) for day in range(5)]
    assert SkewAlarm().look(SUBJECT, after(*batches[:4])) == []
    assert len(SkewAlarm().look(SUBJECT, after(*batches))) == 2


def test_only_the_newest_batches_count_and_a_batch_counts_once() -> None:
    found = after(
        measured(9, joined=900), measured(0, joined=900, x=900), measured(8, joined=99), measured(8, joined=100)
    )
    assert [each.batch_id for each in found.batches] == ["day-9", "day-8"]
    assert (found.number, found.cases) == (4, 1_000)


def test_without_a_common_case_nothing_is_decided_and_the_status_says_so() -> None:
    alarm, nothing = SkewAlarm(alert="open"), after(measured(0, joined=0))
    assert alarm.look(SUBJECT, nothing) == []
    assert alarm.open == {"skew": "open"}
    status = skew_status(nothing)
    assert status is not None
    assert (status.served, status.cases, status.features) == (120, 0, ())
    assert skew_status(ServedSkew()) is None


def test_a_measurement_is_looked_at_once() -> None:
    alarm, wrong = SkewAlarm(), after(measured(0, x=40))
    assert len(alarm.look(SUBJECT, wrong)) == 2
    alarm.resolve(MODEL, to_time(0), "removed")
    assert alarm.look(SUBJECT, wrong) == []


def test_the_largest_share_comes_first_of_the_batches_that_have_the_feature() -> None:
    partly = measured(1, x=1).model_copy(update={"compared": ("x",)})
    found = shares(after(measured(0, x=3, city=2), partly).batches)
    assert [(each.feature, each.cases, each.differing) for each in found] == [("city", 100, 2), ("x", 200, 4)]
