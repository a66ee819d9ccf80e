"""The number of requests compared with the weeks before, and the alert that there are far fewer or far more."""

from __future__ import annotations

import numpy as np
import pytest
from rondo.contracts.events.monitoring import AlertRaised, AlertResolved, DataQualityDegraded
from rondo.monitor.alerts.findings import Subject
from rondo.monitor.quality.rhythm import HOUR, WEEK
from rondo.monitor.quality.volume import Volume
from rondo.monitor.status.stream_status import volume_status
from rondo.monitor.windows.tumbling import to_time

from tests.monitor.builders import MODEL

DAY = 24 * HOUR
BEGIN = 2_800 * WEEK
SUBJECT = Subject(MODEL, 3, 0.01, 0)


def take(volume: Volume, day: int, rows: int) -> None:
    """Take rows of a day, only in the hours from 8 to 18."""
    volume.take(BEGIN + day * DAY + 8 * HOUR + np.arange(rows, dtype=np.int64) * (10 * HOUR // max(rows, 1)))


def look(volume: Volume, day: int, length: int = DAY) -> list[object]:
    """Look once the watermark has passed a day."""
    return [each.event for each in volume.look(SUBJECT, length, BEGIN + (day + 1) * DAY)]


def running(days: int, rows: int = 1_000) -> Volume:
    """Return the volume after days with `rows` rows, and a tenth of them on the last two days of each week."""
    volume = Volume()
    for day in range(days):
        take(volume, day, rows // (10 if day % 7 >= 5 else 1))
        assert look(volume, day) == []
    return volume


def test_a_figure_is_there_from_the_third_week_on_and_a_weekend_is_usual() -> None:
    volume = running(14)
    assert volume_status(volume) is None
    volume = running(42)
    found = volume_status(volume)
    assert found is not None
    assert (found.rows, found.least, found.most, found.weeks, found.strange) == (100, 100, 100, 4, False)
    assert (found.start, found.end) == (to_time(BEGIN + 41 * DAY), to_time(BEGIN + 42 * DAY))


@pytest.mark.parametrize(("rows", "words"), [(300, "fewer"), (3_100, "more")])
def test_two_days_of_far_fewer_or_far_more_requests_raise_one_alert(rows: int, words: str) -> None:
    volume = running(28)
    take(volume, 28, rows)
    assert look(volume, 28) == []
    take(volume, 29, rows)
    finding, alert = look(volume, 29)
    assert isinstance(finding, DataQualityDegraded)
    assert isinstance(alert, AlertRaised)
    (figure,) = finding.statistics
    assert (finding.problem, figure.statistic, figure.value, figure.reference) == ("volume", "volume", rows, 1_000)
    assert figure.threshold == pytest.approx(1_000 / 3 if words == "fewer" else 3_000)
    assert (finding.since, finding.window.end) == (to_time(BEGIN + 28 * DAY), to_time(BEGIN + 30 * DAY))
    assert words in alert.title
    assert volume.open == {"volume": alert.alert_id}
    found = volume_status(volume)
    assert found is not None
    assert found.strange
    take(volume, 30, rows)
    assert look(volume, 30) == []
    for day in (31, 32):
        take(volume, day, 1_000)
    (resolved,) = look(volume, 32)
    assert isinstance(resolved, AlertResolved)
    assert resolved.alert_id == alert.alert_id
    assert volume.open == {}


def test_one_strange_day_and_few_rows_raise_nothing() -> None:
    volume = running(28)
    take(volume, 28, 10)
    take(volume, 29, 1_000)
    assert (look(volume, 28), look(volume, 29)) == ([], [])
    few = running(28, rows=20)
    for day in (28, 29, 30):
        take(few, day, 1)
        assert look(few, day) == []


def test_an_hour_without_requests_before_is_not_strange_by_itself() -> None:
    """Windows are an hour.

    There were no requests at night and 100 an hour by day, which is 42 in the mean of all hours.
    """
    volume = Volume()
    for day in range(30):
        take(volume, day, 1_000)
        if day == 28:
            volume.take(np.full(60, BEGIN + 28 * DAY + HOUR))
            volume.take(np.full(60, BEGIN + 28 * DAY + 2 * HOUR))
        assert day == 29 or look(volume, day, HOUR) == []
    volume.take(np.full(900, BEGIN + 29 * DAY + HOUR))
    volume.take(np.full(900, BEGIN + 29 * DAY + 2 * HOUR))
    assert [type(each) for each in look(volume, 29, HOUR)] == [DataQualityDegraded, AlertRaised, AlertResolved]


def test_a_week_without_requests_is_none_to_compare_with() -> None:
    volume = Volume()
    for day in range(29):
        take(volume, day, 0 if day // 7 == 2 else 1_000)
    assert look(volume, 28) == []
    assert volume.newest is not None
    assert (volume.newest.rows, volume.newest.least, volume.newest.weeks) == (1_000, 1_000, 2)


def test_days_without_any_request_open_no_alert_and_end_none() -> None:
    """Later requests advance event time. The silence is a separate alert."""
    volume = running(28)
    take(volume, 30, 1_000)
    assert look(volume, 30) == []
    assert volume.open == {}
    low = running(28)
    for day in (28, 29):
        take(low, day, 10)
    assert len(look(low, 29)) == 2
    take(low, 32, 10)
    assert look(low, 32) == []
    assert low.open.keys() == {"volume"}


@pytest.mark.parametrize(
    ("usual", "rows", "found"), [(28, 90, 0), (28, 91, 2), (0, 100_000, 2), (30, 90, 0), (34, 102, 0), (34, 120, 2)]
)
def test_far_more_than_few_requests_are_more_than_ninety(usual: int, rows: int, found: int) -> None:
    """Three times as many as a few may be chance. Each week has a row, so that it counts in the comparison."""
    volume = Volume()
    for day in range(30):
        take(volume, day, rows if day >= 28 else usual or int(day % 7 == 6))
        events = look(volume, day)
    assert len(events) == found


def test_nights_without_requests_neither_end_the_alert_nor_open_it_again() -> None:
    """Windows are an hour. Office hours have 100 requests each, and 1,000 from the 28th day on."""
    volume, found = Volume(), []
    for day in range(31):
        take(volume, day, 10_000 if day >= 28 else 1_000)
        found += look(volume, day, HOUR)
    assert [type(each) for each in found] == [DataQualityDegraded, AlertRaised]


def test_late_requests_of_hours_that_were_looked_at_do_not_count() -> None:
    volume = running(28)
    before = dict(volume.hours)
    take(volume, 20, 5_000)
    take(volume, 27, 5_000)
    assert volume.hours == before
    take(volume, 28, 1_000)
    assert sum(volume.hours.values()) == sum(before.values()) + 1_000


def test_what_is_kept_does_not_grow_with_time() -> None:
    volume = running(200)
    assert len(volume.hours) <= 7 * 7 * 24
    assert min(volume.hours) >= BEGIN // HOUR + (200 - 7 * 7 - 7) * 24
    volume.take(np.zeros(1, np.int64))
    assert min(volume.hours) >= BEGIN // HOUR + (200 - 7 * 7 - 7) * 24


def test_an_alert_ends_where_event_time_begins_again_and_with_the_model() -> None:
    volume = running(28)
    for day in (28, 29):
        take(volume, day, 10)
    assert len(look(volume, 29)) == 2
    volume.clear_counts()
    for day in (0, 1):
        take(volume, day, 10)
    assert [type(each) for each in look(volume, 1)] == [AlertResolved]
    again = running(28)
    again.alarm = again.alarm.__class__(0, "some")
    assert [each.event.detail for each in again.resolve(MODEL, to_time(BEGIN), "removed")] == ["removed"]  # type: ignore[attr-defined]
    assert again == Volume()
