"""The fourteen labelled streams on which policies of retraining are compared, each cut into chunks.

Labels come one chunk late. The drift of eleven streams is known (river's generators and two of our own). That of the
weather, of ACS employment and of flights is real. The streams are made once for each seed, in the peers' environment.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from rondo.flights.dataset import flights
from rondo.flights.dataset.messages import day, stream_of
from rondo.flights.examples import example_named

from tests.benchmarks.peers import environment

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

SCRIPT = environment.HERE / "streams_by_river.py"
SYNTHETIC = (
    "agrawal-abrupt", "agrawal-gradual", "agrawal-recurring", "agrawal-no-drift", "autocorrelated-labels",
    "hyperplane", "sea-abrupt", "sea-gradual", "sea-no-drift", "shock", "stagger",
)  # fmt: skip
NAMES = (*SYNTHETIC, "acs", "flights", "weather")
PARAMS: dict[str, Any] = {"n_estimators": 100, "num_leaves": 31, "min_data_in_leaf": 20}
LENGTHS = {"flights": timedelta(days=7), "flights, looked at every 8 hours": timedelta(hours=8)}
"""The chunks of the flights: weeks for all policies, and hours for policies that depend on the arrival of labels."""
MONTH = 4
"""The number of chunks in a month, except for flights, which have their own months."""


@dataclass(frozen=True, eq=False)
class LabelledStream:
    """Rows in order: `x` of shape [rows, features] with missing values as NaN, `y` of 0 and 1.

    `ends` are the rows at which chunks end. The first chunk is what the first model learns from. `months` are the
    chunks, counted from 0, after which a month ends, and `month_ends` the rows. `categories` are the places of features
    that are codes.
    """

    name: str
    x: NDArray[np.float32]
    y: NDArray[np.int8]
    ends: tuple[int, ...]
    months: frozenset[int]
    month_ends: tuple[int, ...]
    categories: tuple[int, ...]
    params: dict[str, Any]
    times: NDArray[np.int64] | None = None
    """The event times of the rows, in microseconds. None where the number of a row counts as its time."""

    @property
    def first(self) -> int:
        """The rows that the first model learns from."""
        return self.ends[0]


def load(name: str, seed: int = 1) -> LabelledStream | None:
    """Return a stream. None if the peers' environment, which makes all streams but flights, can't be created."""
    if name in LENGTHS:
        return _flights(name)
    folder = _made(seed)
    if folder is None:
        return None
    with np.load(folder / f"{name}.npz") as saved:
        x, y = saved["x"], saved["y"]
    first, chunk = {"acs": (20_000, 2_000), "weather": (1_500, 90)}.get(name, (2_000, 250))
    ends = tuple(range(first, len(x) + 1, chunk))
    months = frozenset(range(MONTH, len(ends), MONTH))
    month_ends = tuple(ends[month] for month in sorted(months))
    return LabelledStream(name, x, y, ends, months, month_ends, (), PARAMS)


def _made(seed: int) -> Path | None:
    """Return the folder of the streams with this seed. They are made if it does not exist."""
    python = environment.DRIFT.python()
    if python is None:
        return None
    name = hashlib.sha256(SCRIPT.read_bytes() + environment.DRIFT.pins.read_bytes()).hexdigest()[:12]
    folder = environment.ROOT / ".bench" / f"streams-{name}" / str(seed)
    made = folder / ".made"
    if not made.exists():
        sys.stderr.write(f"making the streams of seed {seed}\n")
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run([python, SCRIPT, folder, str(seed)], check=True)  # noqa: S603 - our own command
        made.touch()
    return folder


def _flights(name: str) -> LabelledStream:
    """Return the flights of 2013 that have a label, by scheduled departure: two months, then chunks."""
    spec = example_named().spec
    rows = stream_of(flights.load(), day(1), day(13)).drop_nulls(spec.data.label)
    rows = rows.sort(spec.data.event_time, spec.data.entity)
    at = rows[spec.data.event_time]
    starts = pl.datetime_range(day(3), at.max(), LENGTHS[name], time_zone="UTC", eager=True)
    ends = (*(int(at.search_sorted(each)) for each in starts), len(rows))
    turns = tuple(int(at.search_sorted(day(month))) for month in range(4, 13))
    months = frozenset(int(np.searchsorted(ends, turn)) for turn in turns)
    features, categories = [], []
    for place, (column, feature) in enumerate(spec.features.items()):
        if feature.type == "category":
            categories.append(place)
            known = sorted(rows[column].unique().drop_nulls())
            features.append(rows[column].cast(pl.Enum(known)).to_physical().cast(pl.Float32))
        else:
            features.append(rows[column].cast(pl.Float32))
    x = np.column_stack([each.fill_null(np.nan).to_numpy() for each in features])
    params = PARAMS | {"min_data_in_leaf": 200, "feature_fraction": 0.6}
    labels = rows[spec.data.label].to_numpy()
    times = at.dt.epoch("us").to_numpy()
    return LabelledStream(name, x, labels, ends, months, turns, tuple(categories), params, times)
