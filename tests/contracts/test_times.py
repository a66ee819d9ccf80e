"""Times are UTC, bounded, and never raise OverflowError."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from rondo.contracts.times import EARLIEST, FIRST, LAST, MOST_AHEAD, EventTime, Utc, is_plausible, to_utc

UTC_TIME = TypeAdapter(Utc)
NOW = datetime(2013, 3, 1, tzinfo=UTC)
OFFSETS = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
EXTREME = (
    "0001-01-01T00:00:00+14:00",
    "0001-01-01T00:00:00Z",
    "1699-12-31T23:59:59Z",
    "2300-01-01T00:00:00Z",
    "9999-12-31T23:59:59-14:00",
)


@pytest.mark.parametrize("text", EXTREME)
def test_a_time_outside_the_bounds_is_a_validation_error(text: str) -> None:
    with pytest.raises(ValidationError) as caught:
        UTC_TIME.validate_python(text)
    assert [fault["type"] for fault in caught.value.errors()] == ["time_out_of_range"]
    with pytest.raises(ValueError, match=f"{FIRST.year} .*{LAST.year}"):
        to_utc(datetime.fromisoformat(text))


def test_a_time_without_an_offset_is_refused() -> None:
    with pytest.raises(ValueError, match="offset"):
        to_utc(datetime(2013, 3, 1))  # noqa: DTZ001


@given(st.datetimes(timezones=OFFSETS))
def test_any_time_is_converted_or_refused(time: datetime) -> None:
    try:
        converted = UTC_TIME.validate_python(time)
    except ValidationError:
        assert not FIRST <= time < LAST
    else:
        assert (converted, converted.tzinfo) == (time, UTC)


@given(st.datetimes(timezones=OFFSETS))
def test_any_time_is_plausible_or_not(time: datetime) -> None:
    assert is_plausible(time, NOW) == (EARLIEST <= time <= NOW + MOST_AHEAD)


@pytest.mark.parametrize("years", [-114, 2])
def test_an_event_time_that_is_given_must_be_plausible(years: int) -> None:
    time = datetime.now(UTC).replace(month=1, day=1)
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(EventTime).validate_python(time.replace(year=2013 + years if years < 0 else time.year + years))
    assert [fault["type"] for fault in caught.value.errors()] == ["implausible_event_time"]
    assert TypeAdapter(EventTime).validate_python(time) == time
