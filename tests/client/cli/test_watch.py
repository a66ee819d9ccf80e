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
    [(-1, 5, 1), (1, 5, 2), (-1, 61, 2)],
    ids=["an event from before it", "one that was published since", "one of a replay, later"],
)
def test_an_outage_is_noted_again_once_events_have_come_since(
    capsys: pytest.CaptureFixture[str], published: int, seconds: int, notes: int
) -> None:
    now = [START]
    notice = OutageNotice(lambda: now[0])
    notice.emit(FAILED)
    notice.emit(FAILED)
    now[0] += timedelta(seconds=seconds)
    notice.on_event(START + timedelta(seconds=published))
    notice.emit(FAILED)
    assert capsys.readouterr().err.count("no connection") == notes
