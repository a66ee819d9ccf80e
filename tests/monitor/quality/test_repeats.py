"""Requests that repeat others: the figures of windows, the alerts, and the checkpoint."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from rondo.contracts.events import logs
from rondo.contracts.events.monitoring import AlertRaised, AlertResolved, DataQualityDegraded
from rondo.contracts.training_evidence import RepeatedRows
from rondo.monitor.alerts.findings import Subject
from rondo.monitor.quality.repeats import MOST_WINDOWS, Repeats
from rondo.monitor.state.repeats_codec import decode_repeats, encode_repeats

from tests.monitor.builders import EPOCH, MODEL

SUBJECT = Subject(MODEL, 3, 0.01, 0)
HOUR = 3_600_000_000
MICROS = int(EPOCH.timestamp() * 1e6)
USUAL = RepeatedRows(rows=16, shares=(0.0,) * 40)


def requests(hour: int, entities: list[str | None], x: list[float] | None = None) -> pa.Table:
    """Return requests of an hour. Each entity has one event time in that hour."""
    at = [EPOCH + timedelta(hours=hour, seconds=sum(map(ord, each or "?")) % 3_600) for each in entities]
    return pa.table(
        {
            "entity": pa.array(entities, pa.string()),
            "event_time": pa.array(at, logs.TIMESTAMP),
            "feature.x": pa.array(range(len(entities)) if x is None else x, pa.float32()),
        }
    )


def take(repeats: Repeats, rows: pa.Table, usual: RepeatedRows | None = None) -> None:
    times = np.asarray(rows.column("event_time").cast(pa.int64()).to_numpy())
    repeats.take(rows, times, times - times % HOUR, 1, usual, 0.01)


def look(repeats: Repeats, hours: int) -> list[Any]:
    return [each.event for each in repeats.look(SUBJECT, HOUR, MICROS + hours * HOUR)]


def named(count: int) -> list[str | None]:
    return [f"e{number:04}" for number in range(count)]


def test_a_sender_that_repeats_its_requests_has_an_alert_until_a_window_without_them() -> None:
    repeats = Repeats()
    take(repeats, requests(0, named(200)))
    take(repeats, requests(1, named(200)))
    take(repeats, requests(1, named(50)))
    assert look(repeats, 1) == []
    finding, alert = look(repeats, 2)
    assert isinstance(finding, DataQualityDegraded)
    assert isinstance(alert, AlertRaised)
    (figure,) = finding.statistics
    assert (finding.problem, figure.value, finding.window.rows) == ("repeated_requests", pytest.approx(0.2), 250)
    assert (finding.since, alert.raised_at) == (EPOCH + timedelta(hours=1), EPOCH + timedelta(hours=2))
    assert repeats.open == {"repeated_requests": alert.alert_id}
    take(repeats, requests(2, named(200) + named(8)))
    take(repeats, requests(3, named(200)))
    assert look(repeats, 3) == []
    (resolved,) = look(repeats, 4)
    assert isinstance(resolved, AlertResolved)
    assert repeats.open == {}


def test_a_window_has_its_figures_for_when_its_outcomes_are_there() -> None:
    repeats = Repeats()
    take(repeats, requests(0, [*named(8), "e0000", None], x=[1.0] * 10))
    assert repeats.statistics(MICROS) == ()
    look(repeats, 1)
    figures = {each.statistic: each.value for each in repeats.statistics(MICROS)}
    assert figures == {"repeated_requests": pytest.approx(1 / 9), "repeated_features": 0.9}


def test_few_requests_and_requests_without_an_entity_raise_no_alert() -> None:
    repeats = Repeats()
    take(repeats, requests(0, named(40) + named(40)))
    take(repeats, requests(1, [None] * 500))
    assert look(repeats, 2) == []


@pytest.mark.slow
def test_the_error_of_the_estimate_is_no_repetition() -> None:
    for hour in range(20):
        repeats = Repeats()
        take(repeats, requests(0, [f"{hour}-{number}" for number in range(20_000)]))
        assert look(repeats, 1) == []
        take(repeats, requests(1, [f"{hour}-{number % 15_000}" for number in range(20_000)]))
        assert len(look(repeats, 2)) == 2


def test_rows_that_come_after_their_window_change_nothing() -> None:
    repeats = Repeats()
    take(repeats, requests(0, named(200)))
    look(repeats, 1)
    take(repeats, requests(0, named(200)))
    assert repeats.windows == {}
    assert look(repeats, 2) == []


def test_features_that_repeat_have_an_alert_until_they_do_not() -> None:
    repeats = Repeats()
    take(repeats, requests(0, named(1_600), x=[1.0] * 1_600), USUAL)
    finding, alert = look(repeats, 0)
    assert (finding.problem, alert.kind) == ("repeated_features", "repeated_features")
    assert finding.statistics[0].value == pytest.approx(15 / 16)
    assert finding.window.rows % USUAL.rows == 0
    assert look(repeats, 0) == []
    take(repeats, requests(0, named(1_600)), USUAL)
    assert [type(each) for each in look(repeats, 0)] == [AlertResolved]


def test_a_checkpoint_keeps_everything() -> None:
    repeats = Repeats()
    take(repeats, requests(0, named(300) + named(300)), USUAL)
    take(repeats, requests(1, named(170), x=[2.0] * 170), USUAL)
    look(repeats, 1)
    decoded = decode_repeats(encode_repeats(repeats))
    assert decoded == repeats
    for each in (repeats, decoded):
        take(each, requests(1, named(900), x=[2.0] * 900), USUAL)
    assert decoded == repeats
    assert decode_repeats({}) == Repeats()


def test_windows_are_bounded() -> None:
    repeats = Repeats()
    for hour in range(MOST_WINDOWS + 5):
        take(repeats, requests(hour, ["a"]))
    assert len(repeats.windows) == MOST_WINDOWS
    assert [each.event for each in repeats.resolve(MODEL, EPOCH, "removed")] == []
    assert repeats == Repeats()
