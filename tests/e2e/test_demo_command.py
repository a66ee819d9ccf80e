"""The command itself, for a single month: it plays, it writes its report, and its exit code is the report's verdict."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import orjson
import pytest

RONDO = Path(sys.executable).with_name("rondo")
# March has no redeployment to show, so one that requires it fails, and with this problem alone.
ASKED = ("demo", "--until", "3", "--speed", "3", "--redeployments", "1", "--report-to", "report", "--json")


@pytest.mark.timeout(180)
@pytest.mark.slow
async def test_a_run_that_shows_too_little_exits_with_1_and_tells_why_on_the_screen_and_in_both_files(
    tmp_path: Path,
) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RONDO_")}
    playing = await asyncio.create_subprocess_exec(
        RONDO, *ASKED, cwd=tmp_path, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await playing.communicate()
    assert (playing.returncode, bool(out)) == (1, True), err.decode()
    told = orjson.loads(out)
    assert told == orjson.loads((tmp_path / "report" / "report.json").read_bytes())
    assert told["requests"] == told["answered"] == told["expected"] > 25_000
    assert [problem.split(",")[0] for problem in told["problems"]] == [
        "0 redeployments were triggered by drift or performance and served"
    ]
    assert [(each["kind"], each["ended"]) for each in told["trainings"]] == [("data", "version 1 took over")]
    assert "| data | " in (tmp_path / "report" / "report.md").read_text()
    steps = err.decode()
    assert "starting Kafka and PostgreSQL" in steps
    assert "the report is in report/report.md and report.json" in steps
