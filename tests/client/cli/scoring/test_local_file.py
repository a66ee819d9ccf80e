"""`rondo score --file`: every format in and out, once through faults, and refused before anything is sent."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any, ClassVar

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import csv
from rondo.client.cli.scoring import local_file, rows
from rondo.contracts.events import scores
from rondo.contracts.events.scores import ScoreRequest
from rondo.contracts.spec.model import Feature
from rondo.serving.bulk.answers import answer

from tests.client.stub_services import serving
from tests.serving.builders import FEATURES, MULTICLASS, build_model, version_of

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

Run = Callable[..., "Result"]
VERSIONS = {
    1: version_of("late", 1, build_model(2.0), FEATURES),
    2: version_of("late", 2, build_model(2.0, fitted=MULTICLASS), FEATURES),
}
COUNT = 250


class Scoring(BaseHTTPRequestHandler):
    """Answers as registry and serving do. After `lasts` messages it is unavailable, or fails if `breaks`."""

    lasts: ClassVar[int] = 10**9
    most: ClassVar[int] = 10**9
    sent: ClassVar[list[int]] = []
    lock: ClassVar[threading.Lock] = threading.Lock()
    answering: ClassVar[Callable[[], None]] = lambda: None

    def do_GET(self) -> None:
        number = int(self.path.split("/")[5])
        features = {name: feature.model_dump(mode="json", by_alias=True) for name, feature in FEATURES.items()}
        self._send(200, orjson.dumps({
            "model": "late", "model_version": number, "digest": VERSIONS[number].digest, "features": features,
            "entity": "id", "event_time": "at", "time_zone": None,
        }))  # fmt: skip

    def do_POST(self) -> None:
        batch = scores.decode(self.rfile.read(int(self.headers["content-length"])))
        request = ScoreRequest.of(batch.schema)
        if batch.num_rows > Scoring.most:
            self._send(413, b'{"code": "too_large", "detail": "too many"}')
            return
        with Scoring.lock:
            if len(Scoring.sent) >= Scoring.lasts:
                self._send(500, b'{"code": "broken", "detail": "it broke"}')
                return
            Scoring.sent.append(request.part)
        Scoring.answering()
        made = answer(VERSIONS[request.model_version], batch, request, datetime.now(UTC))
        self._send(200, scores.encode(made))

    def _send(self, status: int, content: bytes) -> None:
        self.send_response(status)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    yield from serving(Scoring)


@pytest.fixture
def score(run: Run, address: str, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setattr(rows, "ROWS", 100)
    Scoring.lasts, Scoring.sent[:] = 10**9, []
    names = ("REGISTRY", "INGESTION", "SERVING", "TRAINER", "MONITOR")
    environment = {f"RONDO_{name}_URL": address for name in names} | {"RONDO_KAFKA": "127.0.0.1:1", "RONDO_TOKEN": "x"}
    return lambda *arguments: run("score", *map(str, arguments), **environment)


def table(count: int = COUNT) -> pa.Table:
    numbers = range(count)
    return pa.table(
        {
            "id": [f"f{number}" for number in numbers],
            "at": pa.array([datetime(2013, 1, 1, number % 24, tzinfo=UTC) for number in numbers]),
            "distance": [None if number % 7 == 3 else float(number) for number in numbers],
            "night": [number % 2 == 0 for number in numbers],
            "carrier": [number % 3 for number in numbers],
            "other": [0] * count,
        }
    )


def write(folder: Path, suffix: str) -> Path:
    file = folder / f"rows{suffix}"
    if suffix == ".parquet":
        pq.write_table(table(), file, row_group_size=80)
    elif suffix == ".arrows":
        with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_stream(sink, table().schema) as stream:
            stream.write_table(table())
    elif suffix == ".csv":
        csv.write_csv(table(), file)
    else:
        lines = [orjson.dumps(row) for row in table().to_pylist()]
        file.write_bytes(b"\n".join(lines))
    return file


def read(file: Path) -> list[dict[str, Any]]:
    match file.suffix:
        case ".parquet":
            return pq.read_table(file).to_pylist()
        case ".arrows":
            return pa.ipc.open_stream(file.read_bytes()).read_all().to_pylist()
        case ".csv":
            return csv.read_csv(file).to_pylist()
        case _:
            return [orjson.loads(line) for line in file.read_bytes().splitlines()]


def check(found: list[dict[str, Any]]) -> None:
    assert [row["row"] for row in found] == list(range(COUNT))
    assert [row["entity"] for row in found] == [f"f{number}" for number in range(COUNT)]
    for number, row in enumerate(found):
        if number % 7 == 3:
            assert row["error"] == "missing_feature"
            assert row["score"] is None
        else:
            assert not row["error"]
            assert row["score"] == 2.0 * number
        assert row["model_version"] == 1


@pytest.mark.sampled(4)
@pytest.mark.medium
@pytest.mark.parametrize("suffix", [".parquet", ".arrows", ".csv", ".jsonl"])
@pytest.mark.parametrize("target", [".parquet", ".arrows", ".csv", ".jsonl"])
def test_a_file_of_each_format_is_scored_into_each(score: Run, tmp_path: Path, suffix: str, target: str) -> None:
    out = tmp_path / f"scores{target}"
    result = score("late", 1, "--file", write(tmp_path, suffix), "--out", out)
    assert result.exit_code == 0, result.output
    assert "250 rows scored by version 1 of late, 36 of them refused" in result.stdout
    check(read(out))
    assert sorted(Scoring.sent) == [0, 1, 2]
    assert sorted(each.name for each in tmp_path.iterdir()) == sorted([f"rows{suffix}", out.name])


@pytest.mark.medium
def test_a_scoring_that_broke_goes_on_with_what_is_not_done(score: Run, tmp_path: Path) -> None:
    file, out = write(tmp_path, ".parquet"), tmp_path / "scores.parquet"
    Scoring.lasts = 2
    result = score("late", 1, "--file", file, "--out", out)
    assert (result.exit_code, out.exists()) == (1, False)
    Scoring.lasts = 10**9
    first = list(Scoring.sent)
    assert len(first) == 2
    assert score("late", 1, "--file", file, "--out", out).exit_code == 0
    assert sorted(Scoring.sent) == [0, 1, 2], "no slice is sent again"
    check(read(out))
    assert not (tmp_path / "scores.parquet.parts").exists()


@pytest.mark.medium
def test_the_answers_of_another_version_or_file_are_not_mixed_in(score: Run, tmp_path: Path) -> None:
    file, out = write(tmp_path, ".parquet"), tmp_path / "scores.parquet"
    Scoring.lasts = 1
    assert score("late", 1, "--file", file, "--out", out).exit_code == 1
    Scoring.lasts = 10**9
    other = score("late", 2, "--file", file, "--out", out, "--json")
    assert (other.exit_code, orjson.loads(other.stdout)["error"]) == (1, "other_parts")
    assert "has scores of another file, or by another version" in other.stdout
    pq.write_table(table(90), file)
    changed = score("late", 1, "--file", file, "--out", out, "--json")
    assert orjson.loads(changed.stdout)["error"] == "other_parts"


def test_slices_of_another_size_are_not_mixed_in(score: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, out = write(tmp_path, ".parquet"), tmp_path / "scores.parquet"
    Scoring.lasts = 1
    assert score("late", 1, "--file", file, "--out", out).exit_code == 1
    Scoring.lasts = 10**9
    monkeypatch.setattr(rows, "ROWS", 80)
    other = score("late", 1, "--file", file, "--out", out, "--json")
    assert orjson.loads(other.stdout)["error"] == "other_parts"


@pytest.mark.sampled(1)
@pytest.mark.medium
@pytest.mark.parametrize("damage", ["cut", "empty", "other rows"])
def test_a_damaged_answer_of_an_earlier_run_is_made_again(score: Run, tmp_path: Path, damage: str) -> None:
    file, out = write(tmp_path, ".parquet"), tmp_path / "scores.parquet"
    Scoring.lasts = 2
    assert score("late", 1, "--file", file, "--out", out).exit_code == 1
    Scoring.lasts, first = 10**9, Scoring.sent[0]
    part = tmp_path / f"scores.parquet.parts/part-{first:06}.arrow"
    whole = part.read_bytes()
    contents = {"cut": whole[:-200], "empty": b"", "other rows": scores.encode(scores.decode(whole).slice(1))}
    part.write_bytes(contents[damage])
    assert score("late", 1, "--file", file, "--out", out).exit_code == 0
    assert Scoring.sent.count(first) == 2
    check(read(out))


def test_a_description_that_is_cut_is_refused(score: Run, tmp_path: Path) -> None:
    file, out = write(tmp_path, ".parquet"), tmp_path / "scores.parquet"
    (tmp_path / "scores.parquet.parts").mkdir()
    (tmp_path / "scores.parquet.parts/about.json").write_bytes(b"")
    result = score("late", 1, "--file", file, "--out", out, "--json")
    assert orjson.loads(result.stdout)["error"] == "other_parts"


def test_a_file_that_changes_while_it_is_scored_has_no_output(
    score: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, out = write(tmp_path, ".parquet"), tmp_path / "scores.parquet"
    monkeypatch.setattr(Scoring, "answering", lambda: os.utime(file, ns=(0, 0)))
    result = score("late", 1, "--file", file, "--out", out, "--json")
    error = orjson.loads(result.stdout)
    assert (result.exit_code, error["error"], out.exists()) == (1, "file_changed", False)
    assert "was changed while it was scored" in error["message"]


@pytest.mark.medium
def test_the_same_command_is_refused_while_the_first_one_runs(
    score: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, out = write(tmp_path, ".parquet"), tmp_path / "scores.parquet"
    parts = tmp_path / "scores.parquet.parts"
    with local_file._locked(parts):
        result = score("late", 1, "--file", file, "--out", out, "--json")
    error = orjson.loads(result.stdout)
    assert (result.exit_code, error["error"], Scoring.sent) == (1, "already_running", [])
    assert "wait for its end, or name another --out" in error["message"]
    assert score("late", 1, "--file", file, "--out", out).exit_code == 0


def test_rows_that_are_too_large_together_are_sent_in_halves(
    score: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rondo.client.cli.scoring.local_file._MOST_BYTES", 3_000)
    out = tmp_path / "scores.jsonl"
    assert score("late", 1, "--file", write(tmp_path, ".parquet"), "--out", out).exit_code == 0
    assert len(Scoring.sent) > 3
    check(read(out))


@pytest.mark.slow
def test_rows_that_serving_refuses_as_too_large_are_sent_in_halves(
    score: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Scoring, "most", 9)
    out = tmp_path / "scores.jsonl"
    assert score("late", 1, "--file", write(tmp_path, ".parquet"), "--out", out).exit_code == 0
    check(read(out))


def test_a_value_that_can_t_be_parsed_is_the_error_of_its_row(score: Run, tmp_path: Path) -> None:
    file, out = tmp_path / "rows.csv", tmp_path / "scores.jsonl"
    file.write_text("id,distance,night,seats\na,far,true,\nb,2.5,true,3\nc,1,maybe,\nd,1,true,x\n")
    result = score("late", 1, "--file", file, "--out", out)
    assert result.exit_code == 0, result.output
    found = read(out)
    assert [row["error"] for row in found] == ["bad_features", None, "bad_features", "bad_features"]
    assert [row["score"] for row in found] == [None, 5.0, None, None]
    assert "far" in found[0]["message"]
    assert [row["entity"] for row in found] == ["a", "b", "c", "d"]


@pytest.mark.medium
def test_probabilities_have_a_column_for_each_class_in_csv(score: Run, tmp_path: Path) -> None:
    file, out = write(tmp_path, ".parquet"), tmp_path / "scores.csv"
    assert score("late", 2, "--file", file, "--out", out).exit_code == 0
    row = read(out)[6]
    found = [row[f"probabilities.{label}"] for label in VERSIONS[2].outputs.labels]
    assert found == pytest.approx([4.0, 8.0, 12.0], rel=1e-5)
    assert row["label"] == VERSIONS[2].outputs.labels[2]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda rows: rows.drop_columns("night"), "the column night (bool) is missing"),
        (lambda rows: rows.set_column(2, "distance", pa.array(["far"] * COUNT)), "the column distance is string"),
    ],
    ids=["missing", "text"],
)  # fmt: skip
def test_columns_that_do_not_fit_are_named_before_anything_is_sent(
    score: Run, tmp_path: Path, change: Callable[[pa.Table], pa.Table], named: str
) -> None:
    file = tmp_path / "rows.parquet"
    pq.write_table(change(table()), file)
    result = score("late", 1, "--file", file, "--out", tmp_path / "scores.csv", "--json")
    error = orjson.loads(result.stdout)
    assert (result.exit_code, error["error"]) == (1, "schema_mismatch")
    assert named in error["reasons"][0]
    assert "nothing was scored" in error["message"]
    assert Scoring.sent == []


def test_an_output_is_never_overwritten_and_names_its_format(score: Run, tmp_path: Path) -> None:
    file, out = write(tmp_path, ".parquet"), tmp_path / "scores.csv"
    out.write_text("mine")
    there = score("late", 1, "--file", file, "--out", out, "--json")
    assert (there.exit_code, orjson.loads(there.stdout)["error"], out.read_text()) == (1, "exists", "mine")
    unknown = score("late", 1, "--file", file, "--out", tmp_path / "scores.xlsx", "--json")
    assert orjson.loads(unknown.stdout)["error"] == "unknown_format"
    assert score("late", 1, "--file", file).exit_code == 2


def test_dates_of_a_typed_file_are_sent_as_ingestion_publishes_them(tmp_path: Path) -> None:
    at = datetime(2013, 1, 31, 10, 30, tzinfo=UTC)
    columns = {
        "id": ["a", "b"],
        "at": [at, at],
        "booked": pa.array([at, None], pa.timestamp("ns", "America/New_York")),
        "born": pa.array([at.date(), None], pa.date32()),
    }
    pq.write_table(pa.table(columns), tmp_path / "rows.parquet")
    features = {name: Feature(type="category", optional=True) for name in ("booked", "born")}
    version = rows.Version("late", 1, "sha256:", features, "id", "at", None)
    (part,) = rows.opened(tmp_path / "rows.parquet", version).slices
    assert part.rows.column(scores.column_of("booked")).to_pylist() == ["2013-01-31T10:30:00Z", None]
    assert part.rows.column(scores.column_of("born")).to_pylist() == ["2013-01-31", None]
