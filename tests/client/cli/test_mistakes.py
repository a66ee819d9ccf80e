"""A mistake gets a clear message, a code for programs, and an exit code other than 0."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from tests.client.stub_services import SPEC

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

Run = Callable[..., "Result"]


@pytest.mark.medium
@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("promote new 1", "rondo: there is no model new"),
        ("runs nosuch", "rondo: there is no model 'nosuch'; there are late, new: apply its spec first"),
        (
            "publish trips january.csv --batch-id bad",
            "under the same id or another:\n  no column carrier\n",
        ),
        (
            "publish trips late.yaml --batch-id a",
            "rondo: late.yaml has an unsupported file extension: use one of .parquet, .csv, .tsv, .jsonl,",
        ),
        ("publish trips january.xlsx", "rondo: january.xlsx has an unsupported file extension: use one of .parquet"),
        ("publish trips january.xlsx", "in Python; save the sheet as CSV (UTF-8)"),
        ("publish trips none.csv", "rondo: none.csv is empty, it has 0 bytes: was it written to its end?"),
        ("predict late distnce=1 --http", "the model has no feature 'distnce': did you mean distance?"),
        ("predict lat distance=1", "rondo: no version is deployed of the model 'lat': did you mean late?"),
        ("predict late distance=1", "rondo: Kafka can't be reached at 127.0.0.1:1"),
        ("predict late distance=1e400", "rondo: the request can't be sent:\n  distance is inf: send a finite number"),
        ("predict late distance=-inf --http", "rondo: the request can't be sent:\n  distance is -inf: send a finite"),
        ("watch models.promotd", "rondo: there are no events called 'models.promotd': did you mean models.promoted?"),
        ("watch", "rondo: Kafka can't be reached"),
        ("outcome nosuch 1 --id a", "rondo: there is no model 'nosuch'; there are late, new: apply its spec first"),
        ("outcome late 3 --id a", "rondo: 3 is not an outcome of late: its label `late` is 0 or 1, or true or false"),
        ("outcome late nan --id a", "rondo: 'nan' is not an outcome of late: its label `late` is 0 or 1"),
        ("quarantine trps", "rondo: no model has the dataset 'trps'"),
        ("failed", "rondo: Kafka can't be reached"),
        (
            "outcome late 1 --id a --at 2199-03-01T12:00:00Z",
            "rondo: `event_time` is 2199-03-01 12:00:00+00:00: send a time from 1900 to a day from now",
        ),
        ("outcome late 1", "rondo: an outcome names the prediction's id or its entity"),
        ("outcome late 1 --id a", "rondo: Kafka can't be reached"),
        ("predict late --from empty.jsonl", "rondo: Kafka can't be reached"),
    ],
)
def test_a_mistake_gets_one_clear_message(rondo: Run, batch: str, tmp_path: Path, command: str, message: str) -> None:
    (tmp_path / "empty.jsonl").write_text("{}\n")
    (tmp_path / "january.xlsx").write_bytes(b"PK")
    (tmp_path / "none.csv").touch()
    failed = rondo(*command.split())
    assert message in failed.stderr
    assert (failed.exit_code, failed.stdout) == (1, "")
    assert "Traceback" not in failed.stderr
    as_json = rondo(*command.split(), "--json")
    assert f"rondo: {orjson.loads(as_json.stdout)['message']}\n" == as_json.stderr == failed.stderr
    assert as_json.exit_code == 1


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (
            "publish trips january.csv --batch-id bad",
            {"error": "batch_rejected", "reasons": ["no column carrier"]},
        ),
        ("apply wrong.yaml", {"error": "invalid_spec", "reasons": ["line 3: `featurs` "]}),
        ("promote new 1", {"error": "not_found"}),
        ("models late", {"error": "unreachable"}),
        ("remove new --yes", {"error": "forbidden"}),
        ("token create ada --role king", {"error": "usage"}),
        ("predict late distnce=1", {"error": "bad_features", "reasons": ["'distnce'"]}),
        ("modls", {"error": "usage"}),
        ("apply nowhere.yaml", {"error": "usage"}),
    ],
)
def test_a_failure_is_an_object_for_programs(
    rondo: Run, batch: str, tmp_path: Path, command: str, expected: Any
) -> None:
    (tmp_path / "wrong.yaml").write_text(SPEC.replace("features", "featurs"))
    unreachable = {"RONDO_REGISTRY_URL": "http://127.0.0.1:1"} if command == "models late" else {}
    failed = rondo(*command.split(), "--json", **unreachable)
    text = orjson.loads(failed.stdout)
    assert text["error"] == expected["error"]
    assert [each for each in expected.get("reasons", []) if each not in "\n".join(text["reasons"])] == []
    assert failed.exit_code == (2 if expected["error"] == "usage" else 1)


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("apply nowhere.yaml", "file 'nowhere.yaml' does not exist"),
        ("watch --since yesterday", "'yesterday'"),
        ("demo --until 13", "less than or equal to 12"),
        ("demo --kill-each --against-running", "leave out --against-running"),
        ("demo --speed 0", "greater than or equal to 0.01"),
        ("modls", "No such command 'modls'"),
    ],
)
def test_wrong_usage_exits_with_2(rondo: Run, command: str, message: str) -> None:
    failed = rondo(*command.split())
    assert message in " ".join(failed.stderr.replace("│", " ").split())
    assert failed.exit_code == 2


def test_a_spec_with_faults_names_their_lines(rondo: Run, tmp_path: Path) -> None:
    (tmp_path / "rondo.yaml").write_text(SPEC.replace("features", "featurs"))
    failed = rondo("apply", "rondo.yaml")
    assert "rondo.yaml can't be used:" in failed.stderr
    assert re.search("line 3: `featurs` .*`features`", failed.stderr)
    assert failed.exit_code == 1


def test_a_typo_in_a_spec_is_reported_also_where_no_rondo_runs(run: Run, tmp_path: Path) -> None:
    (tmp_path / "wrong.yaml").write_text(SPEC.replace("features", "featurs"))
    failed = run("apply", "wrong.yaml")
    assert failed.exit_code == 1
    assert re.search("line 3: `featurs` .*`features`", failed.stderr)


def test_a_spec_that_is_not_text_is_refused(rondo: Run, tmp_path: Path) -> None:
    (tmp_path / "rondo.yaml").write_bytes(b"\xff\xfe")
    failed = rondo("apply", "rondo.yaml")
    assert failed.exit_code == 1
    assert re.search(r"rondo\.yaml .*UTF-8 .*\(byte 0\)", failed.stderr)


def test_without_a_stack_the_message_names_the_command_that_starts_one(run: Run) -> None:
    failed = run("models")
    home = "/.rondo (set RONDO_HOME to name another): start one here with `rondo up`, or set RONDO_KAFKA"
    assert home in failed.stderr
    assert failed.exit_code == 1


def test_a_variable_that_is_no_setting_is_a_warning_and_the_command_goes_on(rondo: Run) -> None:
    expected = rondo("models", "--json")
    done = rondo("models", "--json", RONDO_REGISTRY_ULR="http://127.0.0.1:1", RONDO_PASSWORD_MONITOR="x")
    assert (done.exit_code, done.stdout) == (0, expected.stdout)
    (warning,) = done.stderr.splitlines()
    assert "RONDO_REGISTRY_ULR" in warning
    assert "RONDO_REGISTRY_URL" in warning
    assert expected.stderr == ""


@pytest.mark.parametrize(("model", "code"), [("nosuch", 1), ("new", 0)])
@pytest.mark.parametrize("option", ["", "--outcomes"])
def test_the_refused_requests_of_an_unknown_model(
    rondo: Run, monkeypatch: pytest.MonkeyPatch, model: str, code: int, option: str
) -> None:
    async def none(*_: object, **__: object) -> AsyncIterator[None]:
        for nothing in ():
            yield nothing

    monkeypatch.setattr("rondo.client.AsyncRondo.failed", none)
    done = rondo("failed", model, *option.split())
    assert done.exit_code == code
    assert ("'nosuch'" in done.stderr) == (model == "nosuch")


@pytest.mark.parametrize("content", ["", "\n  \n"])
def test_a_file_without_a_request_is_refused(rondo: Run, tmp_path: Path, content: str) -> None:
    (tmp_path / "requests.jsonl").write_text(content)
    failed = rondo("predict", "late", "--from", "requests.jsonl", "--json")
    assert (failed.exit_code, orjson.loads(failed.stdout)["error"]) == (1, "no_lines")
