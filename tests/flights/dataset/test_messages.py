"""The due times of messages. Every flight occurs once, in event time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import orjson
import polars as pl
import pytest
from rondo.contracts.events.predictions import OutcomeObserved, PredictionRequested
from rondo.flights.dataset.flights import ENTITY, EVENT_TIME, FEATURES, KNOWN_AT, LABELS
from rondo.flights.dataset.messages import day, outcomes, requests
from rondo.flights.examples import example_named
from rondo.flights.replay.schedule import EventClock, ticks

EXAMPLE = example_named()
TEXTS = ("carrier", "origin", "dest", "weekday")
AT = datetime(2013, 3, 1, 12, tzinfo=UTC)


def flights(*rows: tuple[str, datetime, datetime | None]) -> pl.DataFrame:
    features = {name: "x" if name in TEXTS else None if name == "wind_gust" else 39.02 for name in FEATURES}
    types = {name: pl.String if name in TEXTS else pl.Float32 for name in FEATURES}
    times = {EVENT_TIME: pl.Datetime("us", "UTC"), KNOWN_AT: pl.Datetime("us", "UTC")}
    return pl.DataFrame(
        [
            {ENTITY: i, EVENT_TIME: at, KNOWN_AT: landed, LABELS[0]: None if landed is None else 1, **features}
            for i, at, landed in rows
        ],
        schema={ENTITY: pl.String, **times, LABELS[0]: pl.Int8, **types},
    )


def test_a_request_and_an_outcome_keep_to_the_contract() -> None:
    one = flights(("a", AT, AT + timedelta(hours=2)))
    [(key, value)] = requests(one, EXAMPLE)
    request = PredictionRequested.model_validate_json(value)
    assert key == b"a"
    assert (request.id, request.entity, request.event_time) == ("a", "a", AT)
    assert request.features["temp"] == 39.02
    assert request.features["wind_gust"] is None
    [(key, value)] = outcomes(one, EXAMPLE)
    assert key == b"a"
    assert OutcomeObserved.model_validate_json(value) == OutcomeObserved(
        model="flight-delay", id="a", outcome=1, event_time=AT + timedelta(hours=2)
    )


@pytest.mark.medium
def test_every_flight_has_one_request_and_one_outcome_unless_it_was_cancelled() -> None:
    hours = [timedelta(hours=h) for h in range(0, 72, 5)]
    frame = flights(
        *((f"f{n}", AT + h, None if n % 4 == 0 else AT + h + timedelta(hours=30)) for n, h in enumerate(hours))
    )
    due = list(ticks(frame, EXAMPLE, AT, AT + timedelta(hours=73), timedelta(hours=6)))
    asked = [orjson.loads(value)["id"] for tick in due for _, value in tick.requests]
    came = [orjson.loads(value)["id"] for tick in due for _, value in tick.outcomes]
    assert sorted(asked) == sorted(frame[ENTITY])
    assert sorted(came) == sorted(f"f{n}" for n in range(len(hours)) if n % 4)


def test_nothing_is_sent_before_its_time() -> None:
    frame = flights(("a", AT, AT + timedelta(hours=7)))
    first, second, *_ = ticks(frame, EXAMPLE, AT, AT + timedelta(hours=1), timedelta(hours=6))
    assert [len(first.requests), len(first.outcomes)] == [1, 0]
    assert [len(second.requests), len(second.outcomes)] == [0, 1]


def test_the_event_clock_advances_at_its_speed() -> None:
    seconds = iter((100.0, 101.0, 101.0, 106.0, 107.0, 107.0))
    clock = EventClock(day(3), timedelta(days=4), lambda: next(seconds))
    due = day(3) + timedelta(days=8)
    assert clock.seconds_until(due) == 1.0
    clock.set_speed(0.2)
    assert clock.seconds_until(due) == 0.0
    clock.set_speed(1.0)
    assert clock.seconds_until(due + timedelta(days=4)) == 0.8
    assert day(13) == datetime(2014, 1, 1, tzinfo=UTC)


def test_the_event_clock_goes_on_at_its_speed_from_a_time_that_is_set() -> None:
    seconds = iter((100.0, 101.0, 104.0, 105.0))
    clock = EventClock(day(3), timedelta(days=4), lambda: next(seconds))
    clock.set_speed(0.5)
    clock.set_time(day(3))
    assert clock.seconds_until(day(3) + timedelta(days=4)) == 1.0
