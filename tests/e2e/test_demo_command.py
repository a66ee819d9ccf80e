"""The command itself for a single month: the replay, the report, and the exit code with its verdict."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
import time
from pathlib import Path

import orjson
import psutil
import pytest

RONDO = Path(sys.executable).with_name("rondo")
# March has few redeployments, so a run that requires many fails, with only this problem.
ASKED = ("demo", "--until", "3", "--speed", "1.5", "--redeployments", "50", "--report-to", "report", "--json")


@pytest.mark.timeout(180)
@pytest.mark.slow
async def test_a_run_with_too_few_redeployments_exits_with_1_and_reports_why(
    tmp_path: Path,
) -> None:
    playing = await play(tmp_path, *ASKED)
    out, err = await playing.communicate()
    assert (playing.returncode, bool(out)) == (1, True), err.decode()
    report = orjson.loads(out)
    assert report == orjson.loads((tmp_path / "report" / "report.json").read_bytes())
    assert report["requests"] == report["answered"] == report["expected"] > 25_000
    assert [problem.split()[1] for problem in report["problems"]] == ["redeployments"]
    first, *others = report["trainings"]
    assert (first["kind"], first["ended"]) == ("data", "version 1 was promoted")
    assert {each["kind"] for each in others} <= {"new_labels", "suspicion", "performance"}
    assert "| data | " in (tmp_path / "report" / "report.md").read_text()
    steps = err.decode()
    assert "starting Kafka" in steps
    assert "report/report.md and report.json" in steps


@pytest.mark.timeout(240)
@pytest.mark.slow
async def test_another_example_is_run_by_its_name_in_the_environment(tmp_path: Path) -> None:
    """The example's own function trains its model. The command passes it to the trainer."""
    playing = await play(tmp_path, "demo", "--until", "3", "--json", EXAMPLE="own-function")
    out, err = await playing.communicate()
    assert playing.returncode == 0, err.decode()
    report = orjson.loads(out)
    assert (report["example"], report["problems"]) == ("own-function", [])
    assert report["requests"] == report["answered"] == report["expected"] > 25_000
    assert report["trainings"][0]["ended"] == "version 1 was promoted"
    trainer = (tmp_path / ".rondo" / "logs" / "trainer.log").read_text()
    assert re.search(r"delay_net: [\d,]+ rows, log loss", trainer)


@pytest.mark.timeout(180)
@pytest.mark.slow
async def test_ctrl_c_in_the_middle_ends_within_seconds_and_prints_where_the_data_are(tmp_path: Path) -> None:
    playing = await play(tmp_path, "demo", "--until", "4")
    assert playing.stdout
    while b" sent, " not in (line := await playing.stdout.readline()):
        assert line, await playing.communicate()
    family = psutil.Process(playing.pid).children(recursive=True)
    began = time.monotonic()
    playing.send_signal(signal.SIGINT)
    out, err = await playing.communicate()
    assert time.monotonic() - began < 40
    assert (playing.returncode, err) == (130, b"rondo: stopped\n")
    last = out.decode().rstrip().splitlines()[-1]
    assert f"{tmp_path}/.rondo" in last
    assert (tmp_path / ".rondo" / "logs" / "serving.log").exists()
    _, alive = psutil.wait_procs(family, timeout=10)
    assert [each for each in alive if each.status() != psutil.STATUS_ZOMBIE] == []


async def play(folder: Path, *arguments: str, **more: str) -> asyncio.subprocess.Process:
    """Start the command without a terminal, and with no variables for Rondo except `more`."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RONDO_")} | more
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(
        RONDO, *arguments, cwd=folder, env=environment, stdout=pipe, stderr=pipe
    )
