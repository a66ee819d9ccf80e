"""`rondo predict --from` takes every file that `rondo publish` takes: its rows become requests."""

from __future__ import annotations

import gzip
import io
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson
import polars as pl
import pytest
from rondo.client.cli.bulk import predictions, rows
from rondo.client.cli.bulk.rows import Columns
from rondo.client.errors import RefusedError
from rondo.contracts.batch_files.formats import CONTENT_TYPES
from rondo.contracts.events.predictions import PredictionRequested

if TYPE_CHECKING:
    from pathlib import Path

COLUMNS = Columns(
    "ride", "at", {"zone": "category", "distance": "float", "stops": "int", "night": "bool", "wind": "float"},
    ("zone", "distance", "stops", "night"),
)  # fmt: skip
AT = datetime(2013, 1, 1, 10, tzinfo=UTC)
FRAME = pl.DataFrame(
    {
        "ride": ["r1", "r2"], "at": [AT, AT], "zone": ["7", "a"], "distance": [1.5, 2.0], "stops": [3, 4],
        "night": [True, False], "wind": [None, 0.5], "tipped": [1, 0], "colour": ["red", "blue"],
    }
)  # fmt: skip
EXPECTED = [
    ("r1@2013-01-01T10:00:00Z", {"zone": "7", "distance": 1.5, "stops": 3, "night": True, "wind": None}),
    ("r2@2013-01-01T10:00:00Z", {"zone": "a", "distance": 2.0, "stops": 4, "night": False, "wind": 0.5}),
]


def written(frame: pl.DataFrame, suffix: str) -> bytes:
    """Return a file in its usual form, with times as texts in CSV and JSON Lines."""
    content = io.BytesIO()
    texts = frame.with_columns(pl.col("at").dt.strftime("%Y-%m-%dT%H:%M:%SZ"))
    match suffix:
        case ".csv":
            texts.write_csv(content)
        case ".tsv":
            texts.write_csv(content, separator="\t")
        case ".parquet":
            frame.write_parquet(content)
        case ".arrow":
            frame.write_ipc(content)
        case ".arrows":
            frame.write_ipc_stream(content)
        case _:
            texts.write_ndjson(content)
    return content.getvalue()


def read(path: Path) -> list[PredictionRequested | RefusedError]:
    with path.open("rb") as file:
        _, source = rows.opened(file)
    assert source is not None
    rows.check_columns(source.table.column_names, COLUMNS, "tips")
    return list(rows.requests(source, COLUMNS, "tips"))


@pytest.mark.parametrize("suffix", CONTENT_TYPES)
@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_every_file_that_can_be_published_is_requests(tmp_path: Path, suffix: str, compress: Any) -> None:
    path = tmp_path / f"rides{suffix}{'.gz' if compress is gzip.compress else ''}"
    path.write_bytes(compress(written(FRAME, suffix)))
    found = [each for each in read(path) if isinstance(each, PredictionRequested)]
    assert [(each.id, each.features) for each in found] == EXPECTED
    assert {(each.model, each.event_time) for each in found} == {("tips", AT)}
    assert [each.entity for each in found] == ["r1", "r2"]


def test_rows_of_json_lines_may_have_an_object_beside_their_features(tmp_path: Path) -> None:
    """`rondo publish` drops it, as the contract does not name it."""
    path = tmp_path / "rides.jsonl"
    rows_with_object = [orjson.loads(line) | {"geo": {"lat": 1.5}} for line in written(FRAME, ".jsonl").splitlines()]
    path.write_bytes(b"\n".join(orjson.dumps(row) for row in rows_with_object))
    found = [each for each in read(path) if isinstance(each, PredictionRequested)]
    assert [(each.id, each.features) for each in found] == EXPECTED


def test_a_decimal_is_a_number(tmp_path: Path) -> None:
    decimals = FRAME.with_columns(pl.col("wind", "stops").cast(pl.Decimal(10, 2)))
    (tmp_path / "rides.parquet").write_bytes(written(decimals, ".parquet"))
    found = [each for each in read(tmp_path / "rides.parquet") if isinstance(each, PredictionRequested)]
    assert [(each.id, each.features) for each in found] == EXPECTED


def test_a_column_id_names_the_requests(tmp_path: Path) -> None:
    (tmp_path / "rides.csv").write_bytes(written(FRAME.with_columns(id=pl.Series(["a", "b"])), ".csv"))
    assert [each.id for each in read(tmp_path / "rides.csv") if isinstance(each, PredictionRequested)] == ["a", "b"]


def test_a_row_that_can_t_be_sent_is_refused_and_the_others_are_sent(tmp_path: Path) -> None:
    frame = FRAME.with_columns(stops=pl.Series(["many", "4"]))
    (tmp_path / "rides.csv").write_bytes(written(frame, ".csv"))
    refused, sent = read(tmp_path / "rides.csv")
    assert isinstance(refused, RefusedError)
    assert (refused.code, str(refused)) == ("bad_features", "stops is 'many': give a whole number")
    assert isinstance(sent, PredictionRequested)
    (tmp_path / "naive.parquet").write_bytes(
        written(FRAME.with_columns(pl.col("at").dt.replace_time_zone(None)), ".parquet")
    )
    assert {each.code for each in read(tmp_path / "naive.parquet") if isinstance(each, RefusedError)} == {
        "bad_event_time"
    }


def test_a_file_without_a_required_feature_is_refused_as_a_whole(tmp_path: Path) -> None:
    (tmp_path / "rides.csv").write_bytes(written(FRAME.drop("zone", "wind"), ".csv"))
    with pytest.raises(RefusedError) as refused:
        read(tmp_path / "rides.csv")
    assert refused.value.code == "bad_features"
    assert "the file has no column zone, which tips needs: add it" in str(refused.value)


@pytest.mark.parametrize("line", [{"features": {"zone": "a"}}, {"featuers": {"zone": "a"}}, {"id": "a"}, [1], "x"])
@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_json_lines_of_requests_stay_requests(tmp_path: Path, line: Any, compress: Any) -> None:
    path = tmp_path / ("asked.jsonl.gz" if compress is gzip.compress else "asked.jsonl")
    path.write_bytes(compress(b"\n" + orjson.dumps(line) + b"\n"))
    with path.open("rb") as file:
        lines, source = rows.opened(file)
        assert source is None
        assert predictions.json_lines.count(lines) == 1
        assert [each.strip() for each in lines if each.strip()] == [orjson.dumps(line)]


def test_a_file_of_another_name_has_requests(tmp_path: Path) -> None:
    (tmp_path / "asked.txt").write_bytes(b'{"distance": 1}')
    with (tmp_path / "asked.txt").open("rb") as file:
        assert rows.opened(file) == (file, None)


def test_a_file_with_a_feature_of_an_unknown_type_is_refused() -> None:
    columns = replace(COLUMNS, features={**COLUMNS.features, "light": "timestamp"})
    names = [*columns.features]
    with pytest.raises(RefusedError) as refused:
        rows.check_columns(names, columns, "tips")
    assert refused.value.code == "unknown_feature_type"
    assert str(refused.value) == (
        "the feature light of tips has the type 'timestamp', which this release of rondo does not know: upgrade rondo,"
        " then send the file again"
    )
    # Without that column each row can be sent, and the answer says if it lacks the feature.
    rows.check_columns(names[:-1], columns, "tips")
