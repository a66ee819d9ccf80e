"""Joins weather to flights by `get_historical_features` of Feast, with its offline store on DuckDB.

Run as `python feast_history.py <flights.parquet> <weather.parquet> <joined.parquet> <rounds>` with the interpreter of
the environment `feast`. The flights have `at` and `origin`, the weather has `known_at`, which is the timestamp field,
and a value is found up to three hours after that. Prints the seconds of each round. Reading the flights, the
registry of features, and imports do not count.
"""

from __future__ import annotations

import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
from feast import Entity, FeatureStore, FeatureView, Field, FileSource, RepoConfig
from feast.types import Float32
from feast.value_type import ValueType

MAX_AGE = timedelta(hours=3)
KEYS = ("origin", "time_hour", "known_at")


def store_of(folder: str, weather: str) -> tuple[FeatureStore, list[str]]:
    """Return a store that has the weather as a feature view, and the names of its features."""
    names = [name for name in pq.read_schema(weather).names if name not in KEYS]
    config = RepoConfig(
        project="flights", provider="local", registry=f"{folder}/registry.db", entity_key_serialization_version=3,
        online_store=None, offline_store={"type": "duckdb"},
    )  # fmt: skip
    store, airport = (
        FeatureStore(config=config),
        Entity(name="airport", join_keys=["origin"], value_type=ValueType.STRING),
    )
    view = FeatureView(
        name="weather",
        entities=[airport],
        ttl=MAX_AGE,
        schema=[Field(name=name, dtype=Float32) for name in names],
        source=FileSource(path=weather, timestamp_field="known_at"),
        online=False,
    )
    store.apply([airport, view])
    return store, [f"weather:{name}" for name in names]


def main(flights: str, weather: str, joined: str, rounds: int) -> None:
    rows = pd.read_parquet(flights).rename(columns={"at": "event_timestamp"})
    with tempfile.TemporaryDirectory() as folder:
        store, names = store_of(folder, weather)
        for _ in range(rounds):
            began = time.perf_counter()
            found = store.get_historical_features(entity_df=rows, features=names).to_df()
            sys.stdout.write(f"{time.perf_counter() - began}\n")
        found.to_parquet(joined)


if __name__ == "__main__":
    main(*map(str, map(Path, sys.argv[1:4])), int(sys.argv[4]))
