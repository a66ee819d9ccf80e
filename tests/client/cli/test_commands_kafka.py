"""The commands that use Kafka, with text and with JSON output."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING

import orjson
import pytest
from rondo.client import AsyncRondo, PredictionRefusedError, messages
from rondo.client.cli.local.up import print_addresses
from rondo.embedded import Addresses

from tests.client.conftest import OUTPUTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.testing import Result
    from rondo.client import Connection

LINES = b"""\
{"id": "a", "features": {"distance": 100}}

{"id": "b", "event_time": 5, "features": {"distance": 100}}
{"id": "c", "features": {"distance": 1e400}}
\xff\xfe
{"id": "d", "features": {"refuse": 1}}
{"id": "e", "features": {"ignore": 1}}
{"features": [1]}
{"id": "f", "features": {"distance": 900}}
"""


@pytest.fixture
def rondo(run: Callable[..., Result], serving: Connection) -> Callable[..., Result]:
    """Return a function that runs the command against the stand-in of serving."""
    return lambda *arguments: run(*arguments, **_environment(serving))


def _environment(serving: Connection) -> dict[str, str]:
    services = ("REGISTRY", "INGESTION", "SERVING")
    urls = {f"RONDO_{name}_URL": "http://127.0.0.1:1" for name in services}
    return {"RONDO_KAFKA": str(serving.kafka), "RONDO_TOKEN": "x"} | urls


@pytest.mark.slow
async def test_each_line_has_a_result_of_its_own_and_one_without_an_answer_is_no_success(
    rondo: Callable[..., Result], tmp_path: Path
) -> None:
    (tmp_path / "requests.jsonl").write_bytes(LINES)
    done = await asyncio.to_thread(rondo, "predict", "late", "--from", "requests.jsonl", "--timeout", "3")
    assert sorted(done.stdout.splitlines()) == [
        "a  label 0, score 0.1  (version 3)", "f  label 1, score 0.9  (version 3)",
    ]  # fmt: skip
    for output in (
        "rondo: line 3: `event_time` is 5: ",
        "rondo: line 4: .*JSON .*infinity",
        "rondo: line 5: .*JSON",
        "rondo: .*request d .*`distance`",
        "rondo: .*request e .*3 s",
        "rondo: line 8: .*features",
        "2 answered, 1 .*, 5 refused",
    ):
        assert re.search(output, done.stderr)
    assert "Traceback" not in done.stderr
    assert done.exit_code == 1


async def test_each_row_of_a_file_of_rows_has_a_result(
    run: Callable[..., Result], serving: Connection, address: str, tmp_path: Path
) -> None:
    rows = ("id,at,distance,late", "x,2013-01-01T10:00:00Z,900,1", "y,2013-01-01T11:00:00Z,far,0")
    (tmp_path / "trips.csv").write_text("\n".join(rows))
    environment = _environment(serving) | {"RONDO_REGISTRY_URL": address}
    done = await asyncio.to_thread(run, "predict", "late", "--from", "trips.csv", "--timeout", "9", **environment)
    assert done.stdout == "x@2013-01-01T10:00:00Z  label 1, score 0.9  (version 3)\n"
    assert "rondo: row 2: distance is 'far': " in done.stderr
    assert (done.exit_code, "1 answered, 1 refused" in done.stderr) == (1, True)


# Each case takes a second to start a process, so one case per form suffices for an ordinary run.
@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "stream"),
    [
        ("predict late --from requests.jsonl", "stdout"),
        pytest.param("predict late --from requests.jsonl", "stderr", marks=pytest.mark.slow),
        pytest.param("predict late --from requests.jsonl --json", "stdout", marks=pytest.mark.slow),
        ("outcome late --from requests.jsonl", "stderr"),
        pytest.param("outcome late --from requests.jsonl --json", "stdout", marks=pytest.mark.slow),
        pytest.param("failed --follow", "stdout", marks=pytest.mark.slow),
        ("watch predictions.failed --since beginning", "stdout"),
    ],
)
async def test_a_command_ends_when_nobody_reads_its_output(
    serving: Connection, tmp_path: Path, command: str, stream: str
) -> None:
    async with AsyncRondo(serving) as asking:
        answers = [each async for each in asking.stream([messages.request("late", {"refuse": 1}, "r")])]
    assert len(answers) == 1
    (tmp_path / "requests.jsonl").write_bytes(b"{}\n" * 3 + b'{"id": "a", "features": {"distance": 100}}\n' * 3)
    read, write = os.pipe()
    os.close(read)
    other = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("rondo")), *command.split(),
        env=os.environ | _environment(serving), cwd=tmp_path,
        stdout=write if stream == "stdout" else other, stderr=write if stream == "stderr" else other,
    )  # fmt: skip
    os.close(write)
    try:
        async with asyncio.timeout(20):
            assert await process.wait() == 1
    finally:
        if process.returncode is None:
            process.kill()


@pytest.mark.slow
async def test_for_programs_each_line_is_an_object(rondo: Callable[..., Result], tmp_path: Path) -> None:
    (tmp_path / "requests.jsonl").write_bytes(LINES)
    done = await asyncio.to_thread(rondo, "predict", "late", "--from", "requests.jsonl", "--timeout", "3", "--json")
    output = [orjson.loads(line) for line in done.stdout.splitlines()]
    assert {each["id"]: each["output"] for each in output if "output" in each} == {
        "a": {"score": 0.1, "label": 0}, "f": {"score": 0.9, "label": 1},
    }  # fmt: skip
    assert {(each.get("id"), each.get("line"), each["error"]) for each in output if "error" in each} == {
        (None, 3, "bad_event_time"), (None, 4, "not_json"), (None, 5, "not_json"), (None, 8, "bad_request"),
        ("d", None, "missing"), ("e", None, "no_answer"),
    }  # fmt: skip
    assert {each["delivery"] for each in output if each.get("error") == "no_answer"} == {"acknowledged"}
    assert re.findall(r"\d+|`event_time`", done.stderr)[:5] == ["2", "1", "5", "4", "`event_time`"]
    assert done.exit_code == 1


async def test_a_whole_file_of_answers_is_a_success(rondo: Callable[..., Result], tmp_path: Path) -> None:
    lines = [orjson.dumps({"id": f"n{number}", "features": {"distance": number}}) for number in range(2_500)]
    (tmp_path / "requests.jsonl").write_bytes(b"\n".join(lines))
    done = await asyncio.to_thread(rondo, "predict", "late", "--from", "requests.jsonl", "--json")
    answers = [orjson.loads(line) for line in done.stdout.splitlines()]
    assert {each["id"]: each["output"]["score"] for each in answers} == {f"n{n}": n / 1000 for n in range(2_500)}
    assert done.exit_code == 0
    assert done.stderr.startswith("2,500 answered, 0 refused\n2,500 without `event_time`")


async def test_answers_of_other_tasks_are_whole_for_programs_and_short_for_people(
    rondo: Callable[..., Result], tmp_path: Path
) -> None:
    lines = [orjson.dumps({"id": model, "model": model, "features": {"distance": 1}}) for model in OUTPUTS]
    (tmp_path / "requests.jsonl").write_bytes(b"\n".join(lines))
    for_programs = await asyncio.to_thread(rondo, "predict", "late", "--from", "requests.jsonl", "--json")
    found = {each["id"]: each["output"] for each in map(orjson.loads, for_programs.stdout.splitlines())}
    assert found == OUTPUTS
    for_people = await asyncio.to_thread(rondo, "predict", "late", "--from", "requests.jsonl")
    assert sorted(for_people.stdout.splitlines()) == [
        "minutes  value 12.5, low 10, high 15  (version 3)",
        "wood  label Bäume, score 0.75  (version 3)",
    ]


async def test_the_id_of_a_failed_request_is_printed_as_it_is(
    rondo: Callable[..., Result], serving: Connection
) -> None:
    foreign = "run:train:[bold]x[/bold]"
    async with AsyncRondo(serving) as asking:
        refused = [each async for each in asking.stream([messages.request("foreign", {"refuse": 1}, foreign)])]
    assert len(refused) == 1
    done = await asyncio.to_thread(rondo, "failed", "foreign")
    assert foreign in done.stdout


async def test_requests_that_failed_are_listed_with_their_reasons(
    rondo: Callable[..., Result], serving: Connection
) -> None:
    requests = [messages.request("mend", {"refuse": number}, f"bad-{number}") for number in range(5)]
    async with AsyncRondo(serving) as asking:
        await asking.predict("mend", {"distance": 1}, id="good")
        refused = [answer async for answer in asking.stream(requests)]
    assert len(refused) == 5
    output = await asyncio.to_thread(rondo, "failed", "mend", "--json")
    found = orjson.loads(output.stdout)
    assert {each["id"] for each in found} == {f"bad-{number}" for number in range(5)}
    assert {(each["model"], each["reason"], "`distance`" in each["message"]) for each in found} == {
        ("mend", "missing", True)
    }
    last = await asyncio.to_thread(rondo, "failed", "mend", "--last", "2", "--json")
    assert orjson.loads(last.stdout) == found[-2:]
    shown = (await asyncio.to_thread(rondo, "failed")).stdout
    # The width of a column depends on the other refusals.
    (message,) = {each["message"] for each in found}
    assert f"mend bad-4 missing {message}" in " ".join(shown.split())
    none = (await asyncio.to_thread(rondo, "failed", "unknown")).stdout
    assert (none.count("\n"), "unknown" in none, "mend" in none) == (1, True, False)


async def test_requests_that_fail_from_now_on_are_followed(serving: Connection) -> None:
    async with AsyncRondo(serving) as asking, aclosing(asking.failed("followed", follow=True)) as refusals:
        following = asyncio.create_task(anext(refusals))
        with pytest.raises(PredictionRefusedError):
            await asking.predict("followed", {"refuse": 1}, id="new")
        assert (await following).id == "new"


async def test_an_unchecked_outcome_is_sent_with_a_note(rondo: Callable[..., Result]) -> None:
    asked = ("outcome", "late", "1", "--id", "a", "--at", "2013-03-01T12:00:00+00:00")
    sent = (await asyncio.to_thread(rondo, *asked)).stdout
    assert re.search("^sent: .* a is 1; ", sent)
    assert re.findall("`(.*?)`", sent) == [
        "rondo watch outcomes.accepted", "rondo outcome late --unmatched", "rondo failed --outcomes",
    ]  # fmt: skip
    output = await asyncio.to_thread(rondo, *asked, "--json")
    assert {"model": "late", "outcome": 1.0, "id": "a", "entity": None}.items() <= orjson.loads(output.stdout).items()
    assert output.exit_code == 0
    for text, sent in (("12.5", 12.5), ("007", "007"), ("1e3", "1e3"), ("Bäume", "Bäume")):
        output = await asyncio.to_thread(rondo, "outcome", "late", text, "--id", "a", "--json")
        assert orjson.loads(output.stdout)["outcome"] == sent, "only a number that is written as one becomes one"


@pytest.mark.parametrize("json", [True, False])
def test_up_prints_every_address(capsys: pytest.CaptureFixture[str], *, json: bool) -> None:
    addresses = Addresses(
        pid=7, started="2013-01-01T00:00:00Z", kafka="127.0.0.1:9", http={"registry": "http://127.0.0.1:8"},
        postgres={}, token="secret", tokens={}, token_seeds="", artifacts="",
        data="/data", inbox="/inbox", logs="/logs", grpc="127.0.0.1:6",
    )  # fmt: skip
    print_addresses(addresses, json=json)
    out = capsys.readouterr().out
    assert "secret" not in out
    if json:
        assert orjson.loads(out) == {
            "pid": 7, "kafka": "127.0.0.1:9", "http": {"registry": "http://127.0.0.1:8"}, "grpc": "127.0.0.1:6",
            "data": "/data",
        }  # fmt: skip
    else:
        shown = ("127.0.0.1:9", "http://127.0.0.1:8", "127.0.0.1:6", "/inbox", "/logs", "Rondo is ready")
        assert all(each in out for each in shown)
