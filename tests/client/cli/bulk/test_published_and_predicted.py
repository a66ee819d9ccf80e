"""A file means the same to `rondo publish`, where ingestion reads it, and to `rondo predict --from`."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import orjson
import polars as pl
import pytest
from rondo.client.cli.bulk import rows
from rondo.client.cli.bulk.rows import Columns
from rondo.client.errors import RefusedError
from rondo.contracts.events.predictions import PredictionRequested
from rondo.ingestion.validation import file_formats
from rondo.ingestion.validation.contract import contract_of
from rondo.ingestion.validation.decision import AcceptedBatch, decide

from tests.ingestion.builders import NOW, spec

if TYPE_CHECKING:
    from pathlib import Path

FORMATS: dict[str, file_formats.FileFormat] = {".csv": "CSV", ".jsonl": "JSON Lines", ".parquet": "Parquet"}
FEATURES = {"zone": "category", "distance": "float", "stops": "int", "night": "bool"}
ZONES = ["south", " south", "south ", "  ", "\tsouth", "south\u00a0", "SOUTH", None]
BLANK = ["1", " 1 ", "1", "1 ", " ", "1", "1", None]
COUNT = len(ZONES)
FRAME = pl.DataFrame(
    {
        "ride": [f" r{n} " if n % 2 else f"r{n}" for n in range(COUNT)],
        "started": [" 2013-01-01T10:00:00Z" if n % 3 else "2013-01-01T10:00:00Z" for n in range(COUNT)],
        "zone": ZONES,
        "distance": BLANK,
        "stops": BLANK,
        "night": [each and each.replace("1", "true") for each in BLANK],
        "tipped": [f"{n % 2}" for n in range(COUNT)],
    }
)


def written(path: Path) -> Path:
    """Write texts. A format that keeps types has those of the numbers."""
    if path.suffix == ".csv":
        FRAME.write_csv(path)
    elif path.suffix == ".jsonl":
        FRAME.write_ndjson(path)
    else:
        ones = pl.Series([float(each) if each and each.strip() else None for each in BLANK])
        FRAME.with_columns(distance=ones, stops=ones.cast(pl.Int64), night=ones == 1, tipped=ones).write_parquet(path)
    return path


def published(path: Path) -> list[dict[str, Any]]:
    optional = {name: {"type": kind, "optional": True} for name, kind in FEATURES.items()}
    labels = {"max_bad_share": 0.9}  # rows without a label are quarantined
    contract = contract_of("rides", [spec(data=labels, **optional)])
    decision = decide(file_formats.read(path, FORMATS[path.suffix]), FORMATS[path.suffix], contract, NOW)
    assert isinstance(decision, AcceptedBatch), decision
    return decision.rows.select("ride", "started", *FEATURES).to_dicts()


def requested(path: Path) -> list[dict[str, Any]]:
    with io.BytesIO(path.read_bytes()) as file:
        file.name = str(path)
        _, source = rows.opened(file)
    assert source is not None
    found = list(rows.requests(source, Columns("ride", "started", FEATURES, ()), "tips"))
    assert all(isinstance(each, PredictionRequested) for each in found), found
    return [
        {"ride": each.entity, "started": each.event_time} | each.features
        for each in found
        if isinstance(each, PredictionRequested)
    ]


@pytest.mark.medium
@pytest.mark.parametrize("numbers", [[1.0, 0, 1, 0.0], [1.0, None, 0.0, 1.0], [1, 0, 1, 1], ["1", "0", "true", "1"]])
def test_a_json_number_is_a_number_published_and_predicted(numbers: list[Any], tmp_path: Path) -> None:
    path = tmp_path / "rides.jsonl"
    row = {"started": "2013-01-01T10:00:00Z", "zone": "a", "tipped": 1}
    values = [{"ride": f"r{n}", "distance": each, "stops": each, "night": each} for n, each in enumerate(numbers)]
    if "true" in numbers:
        values = [each | {"distance": 1, "stops": 1} for each in values]
    path.write_bytes(b"\n".join(orjson.dumps(row | each) for each in values))
    assert [each["night"] for each in published(path)] == [
        each if each is None else each in (1, "1", "true") for each in numbers
    ]
    assert requested(path) == published(path)


def refused(path: Path) -> int:
    with path.open("rb") as file:
        _, source = rows.opened(file)
    assert source is not None
    found = rows.requests(source, Columns("ride", "started", FEATURES, ()), "tips")
    return sum(isinstance(each, RefusedError) for each in found)


@pytest.mark.parametrize("value", ["1.0", 0.5, 2])
def test_what_is_no_boolean_is_refused(value: Any, tmp_path: Path) -> None:
    path = tmp_path / "rides.jsonl"
    path.write_bytes(b'{"ride":"r1"}\n' + orjson.dumps({"ride": "r2", "night": value}))
    assert refused(path) == 1


def test_a_whole_number_beyond_64_bits_is_refused(tmp_path: Path) -> None:
    pl.DataFrame({"ride": ["a", "b"], "stops": [2.0**63, 2.0**62]}).write_parquet(tmp_path / "rides.parquet")
    assert refused(tmp_path / "rides.parquet") == 1


@pytest.mark.medium
@pytest.mark.parametrize("suffix", FORMATS)
def test_a_row_has_the_same_values_published_and_predicted(suffix: str, tmp_path: Path) -> None:
    path = written(tmp_path / f"rides{suffix}")
    rides = {each["ride"]: each for each in requested(path)}
    accepted = published(path)
    assert len(accepted) >= 5
    assert accepted == [rides[each["ride"]] for each in accepted]
    assert {" south", "south ", "  ", "\tsouth"} & {each["zone"] for each in accepted}
