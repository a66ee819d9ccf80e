"""The files for the README's commands have the content that those commands need."""

from __future__ import annotations

from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import orjson
import polars as pl
import pytest
from rich.progress import Progress
from rondo.client.cli.bulk.predictions import Results, requests
from rondo.contracts.spec.file import parse_spec
from rondo.flights import files
from rondo.flights.dataset.messages import day

SPEC = parse_spec((Path(__file__).parents[2] / "examples/flights/rondo.yaml").read_text())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that did not exist, with the files."""
    folder = tmp_path_factory.mktemp("files") / "new"
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(StringIO()) as output:
        patch.setattr("sys.argv", ["files", str(folder)])
        files.main()
    names = ("january.parquet", "february.parquet", "requests.jsonl", "infer.json")
    assert output.getvalue().splitlines() == [str(folder / name) for name in names]
    return folder


@pytest.mark.medium
def test_both_months_have_what_the_spec_asks_for_and_together_enough_rows(folder: Path) -> None:
    months = [pl.read_parquet(folder / f"{name}.parquet") for name in ("january", "february")]
    wanted = {SPEC.data.entity, SPEC.data.event_time, SPEC.data.label, *SPEC.features}
    assert [set(rows.columns) for rows in months] == [wanted, wanted]
    labelled = [rows[SPEC.data.label].count() for rows in months]
    assert max(labelled) < SPEC.trainer.min_rows <= sum(labelled)


@pytest.mark.medium
def test_each_line_is_a_request_that_the_command_reads(folder: Path) -> None:
    results = Results(Progress(disable=True), None, json=True)
    with (folder / "requests.jsonl").open("rb") as lines:
        asked = list(requests(lines, "another model", results))
    assert (results.failed, results.without_event_time) == (0, 0)
    assert len({request.id for request in asked}) == 100
    assert {request.model for request in asked} == {SPEC.model}
    assert all(request.features.keys() == SPEC.features.keys() for request in asked)
    assert all(request.event_time and day(3) <= request.event_time < day(4) for request in asked)


def test_the_request_over_http_is_one_more_with_a_tensor_for_each_feature(folder: Path) -> None:
    asked = orjson.loads((folder / "infer.json").read_bytes())
    ids = {orjson.loads(line)["id"] for line in (folder / "requests.jsonl").read_bytes().splitlines()}
    names = {tensor["name"] for tensor in asked["inputs"]}
    assert asked["id"] not in ids
    assert {name for name, feature in SPEC.features.items() if not feature.optional} <= names


def test_a_folder_that_cannot_be_made_is_a_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr("sys.argv", ["files", str(tmp_path / "file" / "under")])
    with pytest.raises(SystemExit) as caught:
        files.main()
    assert str(tmp_path / "file") in str(caught.value.code)
