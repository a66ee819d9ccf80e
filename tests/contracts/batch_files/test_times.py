"""Times of files at the ends of the calendar."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from rondo.contracts.batch_files.times import parse_time, zone_named, zone_names

FIRST, LAST = datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59)  # noqa: DTZ001 - as Parquet has them
EAST, WEST = (timezone(timedelta(hours=hours)) for hours in (14, -12))


@pytest.mark.parametrize(
    ("time", "zone"),
    [
        (FIRST, "Europe/Berlin"), (LAST, "America/New_York"),
        (FIRST.replace(tzinfo=EAST), None), (LAST.replace(tzinfo=WEST), None),
    ],
)  # fmt: skip
def test_a_time_that_utc_puts_outside_the_calendar_is_none(time: datetime, zone: str | None) -> None:
    assert parse_time(time, zone) is None
    assert parse_time(time.isoformat(), zone) is None


@pytest.mark.parametrize("name", ["posixrules", "posix/UTC", "localtime", "Factory", "Berlin"])
def test_a_file_of_the_database_that_is_no_place_is_no_zone(name: str) -> None:
    assert zone_named(name) is None
    assert name not in zone_names()
