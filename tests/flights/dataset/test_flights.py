"""The flights: times in UTC, weather that was known at the time, and outcomes only where they exist."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from rondo.contracts.spec.file import parse_spec
from rondo.flights.dataset import flights as dataset

SPEC = Path(__file__).parents[3] / "examples/flights/rondo.yaml"
ZONES = pl.DataFrame({"dest": ["LAX", "JFK"], "zone": ["America/Los_Angeles", "America/New_York"]})


@pytest.fixture(scope="module")
def flights() -> pl.DataFrame:
    return dataset.load()


def row(flights: pl.DataFrame, flight_id: str) -> dict[str, object]:
    return flights.row(by_predicate=pl.col("flight_id") == flight_id, named=True)


def departure(at: datetime, dest: str = "LAX") -> pl.DataFrame:
    """Return a flight scheduled to leave New York at 22:30, which leaves an hour late, just before midnight."""
    flight = {"time_hour": at, "minute": 30, "dest": dest, "sched_dep_time": 2230, "sched_arr_time": 140}
    flight |= {"dep_time": 2330, "arr_time": 230, "dep_delay": 60, "arr_delay": 50}
    return dataset.with_arrival(dataset.with_departure(pl.DataFrame([flight]), ZONES))


def weather(origin: str, hour: datetime, temp: float) -> dict[str, object]:
    return dict.fromkeys(dataset.WEATHER, 0.0) | {"origin": origin, "time_hour": hour, "temp": temp}


@pytest.mark.medium
def test_there_is_one_row_per_flight_of_the_year(flights: pl.DataFrame) -> None:
    assert flights.height == 336_776
    assert flights["flight_id"].n_unique() == 336_776
    assert flights["scheduled_departure"].is_sorted()


@pytest.mark.medium
def test_the_columns_are_those_of_the_spec(flights: pl.DataFrame) -> None:
    spec = parse_spec(SPEC.read_text())
    expected = [spec.data.entity, spec.data.event_time, *spec.features, *dataset.LABELS, dataset.KNOWN_AT]
    assert flights.columns == expected


def test_every_value_keeps_to_the_spec(flights: pl.DataFrame) -> None:
    for name, feature in parse_spec(SPEC.read_text()).features.items():
        column = flights[name]
        assert feature.optional or column.null_count() == 0, name
        if feature.type == "category":
            assert feature.values is None or set(column.unique()) <= set(feature.values), name
        else:
            low, high = column.min(), column.max()
            assert feature.min is None or low >= feature.min, name
            assert feature.max is None or high <= feature.max, name


def test_new_york_time_becomes_utc_on_both_sides_of_the_change_of_clocks(flights: pl.DataFrame) -> None:
    for flight_id, hours in (("20130101-UA1545-EWR", 5), ("20130701-AA701-JFK", 4)):
        flight = row(flights, flight_id)
        midnight = datetime.strptime(flight_id[:8], "%Y%m%d").replace(tzinfo=UTC) + timedelta(hours=hours)
        assert flight["scheduled_departure"] == midnight + timedelta(minutes=flight["departure_minute"])


def test_a_flight_over_midnight_and_three_zones_arrives_after_it_left() -> None:
    flight = departure(datetime(2013, 1, 2, 3, tzinfo=UTC)).row(0, named=True)
    assert flight["scheduled_minutes"] == 3 * 60 + 10 + 180
    assert flight["known_at"] == datetime(2013, 1, 2, 10, 30, tzinfo=UTC)  # 02:30 in Los Angeles


def test_an_airport_without_a_zone_is_in_puerto_rico() -> None:
    winter, summer = (departure(datetime(2013, month, 2, 3, tzinfo=UTC), "SJU") for month in (1, 7))
    assert winter["scheduled_minutes"].item() == 3 * 60 + 10 - 60
    assert summer["scheduled_minutes"].item() == 3 * 60 + 10


def test_a_cancelled_flight_has_no_delay_and_is_known_at_its_scheduled_arrival(flights: pl.DataFrame) -> None:
    without = flights.filter(pl.col("late").is_null())
    cancelled = without.filter(pl.col("punctuality") == dataset.CANCELLED)
    assert (without.height, cancelled.height) == (9_430, 8_255)
    assert without["minutes_late"].null_count() == 9_430
    scheduled = pl.col("scheduled_departure") + pl.duration(minutes="scheduled_minutes")
    assert cancelled.filter(pl.col("known_at") != scheduled).is_empty()


def test_a_diverted_flight_has_no_outcome(flights: pl.DataFrame) -> None:
    diverted = flights.filter(pl.col("punctuality").is_null())
    assert diverted.height == 9_430 - 8_255
    assert diverted["known_at"].null_count() == flights["known_at"].null_count() == diverted.height


def test_punctuality_and_minutes_agree_with_late(flights: pl.DataFrame) -> None:
    known = flights.filter(pl.col("late").is_not_null())
    assert ((known["minutes_late"] > 15) == (known["late"] == 1)).all()
    assert (known["punctuality"].is_in([dataset.LATE, dataset.VERY_LATE]) == (known["late"] == 1)).all()
    assert (known.filter(pl.col("punctuality") == dataset.VERY_LATE)["minutes_late"].min()) == 61


def test_late_is_more_than_fifteen_minutes_after_the_schedule(flights: pl.DataFrame) -> None:
    scheduled = pl.col("scheduled_departure") + pl.duration(minutes="scheduled_minutes")
    known = flights.filter(pl.col("late").is_not_null())
    agrees = known.select(((pl.col("known_at") - scheduled).dt.total_minutes() > 15) == (pl.col("late") == 1))
    # The package's own delays disagree with its clock times in a few rows.
    assert agrees.to_series().mean() > 0.999


def test_weather_is_the_last_that_was_known_and_not_of_the_running_hour() -> None:
    at = datetime(2013, 5, 1, 12, 30, tzinfo=UTC)
    observed = [weather("JFK", at.replace(hour=hour, minute=0), hour) for hour in (9, 10, 11, 12)]
    flight = pl.DataFrame({"origin": ["JFK", "LGA"], "scheduled_departure": [at, at]})
    joined = dataset.with_weather(
        flight.cast({"scheduled_departure": pl.Datetime("us", "UTC")}), pl.DataFrame(observed)
    )
    assert dict(zip(joined["origin"], joined["temp"], strict=True)) == {"JFK": 11.0, "LGA": None}


def test_weather_too_old_is_missing() -> None:
    at = datetime(2013, 5, 1, 12, 30, tzinfo=UTC)
    flight = pl.DataFrame({"origin": ["JFK"], "scheduled_departure": [at]})
    old = pl.DataFrame([weather("JFK", at.replace(hour=8, minute=0), 8.0)])
    joined = dataset.with_weather(flight.cast({"scheduled_departure": pl.Datetime("us", "UTC")}), old)
    assert joined["temp"].to_list() == [None]


def test_without_the_distribution_the_message_has_the_next_step() -> None:
    with pytest.raises(dataset.DatasetMissingError) as caught:
        dataset.load("no_such_package")
    assert (caught.value.code, caught.value.package) == ("dataset_missing", "no_such_package")
    assert "--package rondo-flights" in str(caught.value)
