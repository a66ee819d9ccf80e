"""`rondo watch` notes an outage of Kafka once."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta

import pytest
from rondo.client.cli.watch import OutageNotice

START = datetime(2013, 1, 1, tzinfo=UTC)
FAILED = logging.LogRecord("fetcher", logging.ERROR, "", 0, "no connection", None, None)


@pytest.mark.parametrize(
    ("published", "seconds", "notes"),
    [(-1, 5, 1), (2, 5, 2), (-1, 61, 2)],
    ids=["an event from before it", "one that was published since", "one of a replay, later"],
)
def test_an_outage_is_noted_again_once_events_have_come_since(
    capsys: pytest.CaptureFixture[str], published: int, seconds: int, notes: int
) -> None:
    now = [START]
    notice = OutageNotice(lambda: now[0])
    fail_for_a_second(notice, now)
    now[0] = START + timedelta(seconds=seconds)
    notice.on_event(START + timedelta(seconds=published))
    fail_for_a_second(notice, now)
    assert capsys.readouterr().err.count("no connection") == notes


@pytest.mark.parametrize("seconds", [0.5, 61])
def test_single_failures_are_no_outage(capsys: pytest.CaptureFixture[str], seconds: float) -> None:
    now = [START]
    notice = OutageNotice(lambda: now[0])
    for _ in range(2):
        notice.emit(FAILED)
        now[0] += timedelta(seconds=seconds)
    assert capsys.readouterr().err == ""


def test_a_failure_before_an_event_does_not_count_in_the_next_outage(capsys: pytest.CaptureFixture[str]) -> None:
    now = [START]
    notice = OutageNotice(lambda: now[0])
    notice.emit(FAILED)
    notice.on_event(START + timedelta(seconds=0.5))
    now[0] += timedelta(seconds=2)
    notice.emit(FAILED)
    assert capsys.readouterr().err == ""


def fail_for_a_second(notice: OutageNotice, now: list[datetime]) -> None:
    notice.emit(FAILED)
    now[0] += timedelta(seconds=1)
    notice.emit(FAILED)
