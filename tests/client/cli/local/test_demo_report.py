"""The report of the demo: on the screen, as files, and its verdict as an exit code."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
from rondo.client.cli.local import demo_report
from rondo.flights.report.markdown import as_markdown
from rondo.flights.report.report import Report, Retrain
from rondo.flights.report.trainings import Training

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

FAILED = Report(
    example="flights",
    metric="roc_auc",
    expected=1000,
    requests=999,
    answered=998,
    refused=0,
    lost=("20130301-AA1-JFK",),
    doubled=(),
    unfinished=0,
    retrains=(Retrain(2, "drift", "temp PSI 5.41", 8.29, 0.48),),
    trainings=(Training("r2", "drift", "temp PSI 5.41", "version 2 was promoted"),),
    with_loop={3: 0.7},
    without_loop={3: 0.7},
    seconds_of_replay=77.0,
    training_speed=0.05,
    restarts={},
    versions_served={1: 400, 2: 598},
)
PROBLEMS = [
    "999 of the 1,000 requests to send are in Kafka: see kafka.log under the stack's folder",
    "1 requests have no answer, such as 20130301-AA1-JFK",
    ("1 redeployments were automatic and served, 3 are required; a slower SPEED gives the training more event time"),
]


def test_both_files_are_written_into_a_folder_that_may_be_new(tmp_path: Path) -> None:
    demo_report.write(FAILED, tmp_path / "new" / "folder")
    assert (tmp_path / "new" / "folder" / "report.md").read_text() == as_markdown(FAILED)
    written = orjson.loads((tmp_path / "new" / "folder" / "report.json").read_bytes())
    assert (written["ok"], written["problems"]) == (False, PROBLEMS)
    assert (written["lost"], written["versions_served"]) == (["20130301-AA1-JFK"], {"1": 400, "2": 598})


def test_a_failed_run_prints_its_problems_and_the_paths_of_its_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    demo_report.print_report(FAILED, tmp_path, json=False)
    shown = capsys.readouterr()
    assert all(f"- {problem}" in shown.out for problem in PROBLEMS)
    assert f"{tmp_path / 'report.md'} and report.json" in shown.err


def test_for_programs_it_is_json_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    demo_report.print_report(FAILED, tmp_path, json=True)
    assert orjson.loads(capsys.readouterr().out)["problems"] == PROBLEMS
