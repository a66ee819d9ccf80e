"""`rondo score` with a dataset: what it asks for, what it prints, and its exit codes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import orjson
import pytest

from tests.client.stub_services import FAILED, JOB, RUNNING

if TYPE_CHECKING:
    from click.testing import Result

Run = Callable[..., "Result"]


@pytest.mark.medium
@pytest.mark.parametrize("data", ["trips", "trips@4"])
def test_a_job_is_followed_to_its_table(rondo: Run, data: str) -> None:
    result = rondo("score", "late", "2", "--data", data)
    assert result.exit_code == 0, result.output
    assert "3,000 rows scored by version 2 of late, 12 of them refused" in result.stdout
    assert "scores/late/0123456789abcdef" in result.stdout
    assert orjson.loads(rondo("score", "late", "2", "--data", data, "--json").stdout) == JOB


def test_a_job_that_failed_says_how_to_go_on_and_resumes_by_its_id(rondo: Run) -> None:
    for arguments in (("late", "3", "--data", "trips"), ("--resume", str(FAILED["job"]))):
        result = rondo("score", *arguments)
        assert result.exit_code == 1
        assert "no replica answered" in result.output
        assert f"rondo score --resume {FAILED['job']}" in result.output


def test_a_job_need_not_be_awaited(rondo: Run) -> None:
    result = rondo("score", "late", "1", "--data", "trips", "--no-wait")
    assert result.exit_code == 0
    assert f"job {RUNNING['job']} is running" in result.stdout


def test_jobs_are_listed_with_their_speed_and_what_is_left(rondo: Run) -> None:
    lines = rondo("score", "--status").stdout.splitlines()
    assert len(lines) == 4
    assert lines[1].split() == [
        RUNNING["job"], "late", "2", "trips@4", "running", "3000", "1000", "12", "250", "0:00:08", "-",
    ]  # fmt: skip
    assert "no replica answered" in lines[2]
    assert orjson.loads(rondo("score", "--status", "--json").stdout)[2] == JOB


@pytest.mark.parametrize(
    "arguments",
    [
        (), ("late", "2"), ("late", "--data", "trips"), ("late", "2", "--data", "../trips"),
        ("late", "2", "--data", "a@b"),
        ("late", "2", "--data", "trips", "--resume", "a"), ("late", "0", "--data", "trips"),
    ],
)  # fmt: skip
def test_wrong_arguments_are_refused_before_anything_is_asked_for(rondo: Run, arguments: tuple[str, ...]) -> None:
    assert rondo("score", *arguments).exit_code == 2


def test_a_dataset_without_rows_and_an_unknown_job_are_errors_with_what_to_do(rondo: Run) -> None:
    result = rondo("score", "late", "2", "--data", "empty", "--json")
    assert (result.exit_code, orjson.loads(result.stdout)["error"]) == (1, "data_missing")
    assert rondo("score", "--resume", "none").exit_code == 1
