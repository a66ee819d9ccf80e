"""The alerts that a stream has stopped or is stale."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import pytest
from rondo.contracts.events.monitoring import AlertRaised, AlertResolved, DataQualityDegraded
from rondo.monitor.alerts.findings import Subject
from rondo.monitor.quality.rhythm import HOUR, WEEK
from rondo.monitor.quality.streams import FirstOutcomes, Stream, StreamQuality
from rondo.monitor.windows.tumbling import to_time

from tests.monitor.builders import MODEL

if TYPE_CHECKING:
    from rondo.contracts.events.base import Event

MINUTE, DAY = HOUR // 60, 24 * HOUR
BEGIN = 2_800 * WEEK
SUBJECT = Subject(MODEL, 3, 0.01, 0)


def take(quality: StreamQuality, stream: Stream, begin: int, length: int, lag: int = 0) -> None:
    written = np.arange(begin, begin + length, MINUTE)
    quality.take(MODEL, stream, written, written - lag)


def look(quality: StreamQuality, label_delay: int = 0) -> list[Event]:
    return [each.event for each in quality.look(SUBJECT, label_delay)]


def problems_after(quality: StreamQuality, elapsed: int, request: int, label_delay: int = 0) -> list[str]:
    """Return the problems after some time, at the end of which a request is written."""
    quality.watch(elapsed)
    take(quality, "requests", request, MINUTE)
    return [each.problem for each in look(quality, label_delay) if isinstance(each, DataQualityDegraded)]


def running(*streams: Stream) -> StreamQuality:
    quality = StreamQuality()
    for stream in streams or ("requests",):
        take(quality, stream, BEGIN, 15 * DAY)
    return quality


def test_a_silence_is_reported_once_and_resolves_by_itself() -> None:
    quality = running()
    quality.watch(15 * MINUTE)
    assert look(quality) == []
    quality.watch(MINUTE)
    finding, alert = look(quality)
    assert isinstance(finding, DataQualityDegraded)
    assert isinstance(alert, AlertRaised)
    (figure,) = finding.statistics
    assert (finding.problem, finding.window.rows, finding.model_version) == ("silence", 0, 3)
    assert (figure.statistic, figure.value, figure.reference, figure.threshold) == ("silence", 960.0, 60.0, 900.0)
    assert re.findall(r"\d+ \w+", alert.detail) == ["16 min", "2 weeks", "60 s"]
    quality.watch(DAY)
    assert look(quality) == []
    take(quality, "requests", BEGIN + 16 * DAY, HOUR)
    (resolved,) = look(quality)
    assert isinstance(resolved, AlertResolved)
    assert resolved.alert_id == alert.alert_id == finding.finding_id
    assert resolved.resolved_at == to_time(BEGIN + 16 * DAY + HOUR - MINUTE)
    assert quality.open == {}
    assert look(quality) == []


def test_time_that_nobody_watched_is_no_silence() -> None:
    quality = running()
    assert look(quality) == []
    take(quality, "requests", BEGIN + 20 * DAY, HOUR)
    assert look(quality) == []


def test_outcomes_that_stop_are_reported_only_while_requests_come() -> None:
    quality = running("requests", "outcomes")
    quality.watch(16 * MINUTE)
    assert [each.problem for each in look(quality) if isinstance(each, DataQualityDegraded)] == ["silence"]
    take(quality, "requests", BEGIN + 15 * DAY + HOUR, MINUTE)
    # The outcomes may pause for as long as the requests did.
    assert problems_after(quality, HOUR - 2 * MINUTE, BEGIN + 15 * DAY + 2 * HOUR) == []
    assert problems_after(quality, 3 * MINUTE, BEGIN + 15 * DAY + 3 * HOUR) == ["no_outcomes"]
    assert quality.open.keys() == {"no_outcomes"}


@pytest.mark.parametrize("behind", [HOUR, 3 * DAY])
def test_outcomes_pause_as_long_as_their_requests_did_and_later(behind: int) -> None:
    quality = running("requests", "outcomes")
    stopped = BEGIN + 15 * DAY
    quality.watch(16 * MINUTE)
    take(quality, "outcomes", stopped, behind)
    look(quality, behind)
    assert quality.open.keys() == {"silence"}
    assert problems_after(quality, 0, stopped + DAY, behind) == []
    assert problems_after(quality, DAY, stopped + 2 * DAY, behind) == []
    assert problems_after(quality, HOUR, stopped + 3 * DAY, behind) == ["no_outcomes"]


def test_event_times_that_no_longer_advance_are_reported() -> None:
    quality = running()
    begin = BEGIN + 15 * DAY
    for hours, problems in ((1, []), (2, ["stale"]), (30, [])):
        written = np.arange(begin, begin + hours * HOUR, MINUTE)
        quality.take(MODEL, "requests", written, np.full(written.size, begin))
        assert [each.problem for each in look(quality) if isinstance(each, DataQualityDegraded)] == problems
    take(quality, "requests", begin + 31 * HOUR, MINUTE)
    assert [type(each) for each in look(quality)] == [AlertResolved]
    assert max(each.lag for each in quality.rhythms["requests"].weeks) < 2 * HOUR


@pytest.mark.parametrize("problem", ["silence", "stale"])
def test_a_removed_model_has_no_alert_and_no_rhythm(problem: str) -> None:
    quality = running()
    quality.open[problem] = "some"
    assert [each.event.detail for each in quality.resolve(MODEL, to_time(BEGIN), "removed")] == ["removed"]  # type: ignore[attr-defined]
    assert quality == StreamQuality()


def test_a_silence_is_saved_on_its_way_to_the_limit() -> None:
    quality = running()
    saves = sum(quality.watch(MINUTE // 6) for _ in range(90))
    assert saves == 16
    assert not StreamQuality().watch(DAY)


def missing(quality: StreamQuality, passed: int, label_delay: int = DAY) -> list[str]:
    """Return the kinds of events once the watermark has passed a time. A window is an hour."""
    first = FirstOutcomes(passed, HOUR, label_delay)
    return [type(each.event).__name__ for each in quality.look(SUBJECT, label_delay, first)]


def test_outcomes_that_never_come_are_reported_once_the_first_ones_should_be_there() -> None:
    quality = StreamQuality()
    assert missing(quality, BEGIN + 9 * DAY) == [], "there was no request"
    take(quality, "requests", BEGIN, DAY)
    take(quality, "requests", BEGIN + DAY, 2 * DAY)
    due = BEGIN + DAY + 2 * HOUR
    assert (missing(quality, due), look(quality)) == ([], [])
    finding, alert = (each.event for each in quality.look(SUBJECT, DAY, FirstOutcomes(due + MINUTE, HOUR, DAY)))
    assert isinstance(finding, DataQualityDegraded)
    assert isinstance(alert, AlertRaised)
    assert (finding.problem, alert.kind, finding.since) == ("no_outcomes", "no_outcomes", to_time(BEGIN))
    assert missing(quality, due + DAY) == []
    take(quality, "outcomes", BEGIN + 3 * DAY, MINUTE)
    (resolved,) = look(quality)
    assert isinstance(resolved, AlertResolved)
    assert resolved.alert_id == alert.alert_id
    assert missing(quality, BEGIN + 99 * DAY) == [], "they have begun, so their rhythm counts"


def test_where_an_outcome_came_in_time_none_is_missed() -> None:
    quality = StreamQuality()
    take(quality, "requests", BEGIN, DAY)
    take(quality, "outcomes", BEGIN + HOUR, MINUTE)
    assert missing(quality, BEGIN + 99 * DAY) == []
