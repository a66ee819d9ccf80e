"""`rondo predict --from` while Kafka fails: each line of the file is answered once."""

from __future__ import annotations

import asyncio
import os
import sys
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from rondo.client import AsyncRondo, Connection
from rondo.embedded.stack import Stack

from tests.e2e import small_model

LINES = 100_000
BEFORE = 10_000  # results before Kafka is killed
OUTAGE_SECONDS = 5


def requests() -> bytes:
    return b"\n".join(
        orjson.dumps(
            {
                "id": f"f{n}", "entity": f"e{n}", "event_time": small_model.START + timedelta(days=40, seconds=n),
                "features": {"zone": "a", "distance": n % 10},
            }
        )
        for n in range(LINES)
    )  # fmt: skip


@pytest.mark.timeout(300)
@pytest.mark.slow
async def test_an_outage_in_the_middle_of_a_file_loses_no_line(tmp_path: Path) -> None:
    file = tmp_path / "requests.jsonl"
    file.write_bytes(requests())
    async with Stack(tmp_path / "home") as stack, AsyncRondo(Connection.of_stack(stack.home)) as rondo:
        assert stack.kafka is not None
        await small_model.first_model(rondo)
        command = ("predict", small_model.MODEL, "--from", str(file), "--json", "--timeout", "90")
        asked = await asyncio.create_subprocess_exec(
            Path(sys.executable).with_name("rondo"), *command, env=os.environ | {"RONDO_HOME": str(stack.home)},
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert asked.stdout is not None
        assert asked.stderr is not None
        results: list[dict[str, Any]] = [orjson.loads(await asked.stdout.readline()) for _ in range(BEFORE)]
        rest = asyncio.create_task(asked.stdout.read())
        notes = asyncio.create_task(asked.stderr.read())
        stack.kafka.kill()
        await asyncio.sleep(OUTAGE_SECONDS)
        assert asked.returncode is None, "it is in the middle of the file"
        await stack.kafka.restart()
        results += map(orjson.loads, (await rest).splitlines())
        code, summary = await asked.wait(), (await notes).decode()

    assert [each for each in results if "error" in each] == []
    assert Counter(each["id"] for each in results) == Counter(f"f{n}" for n in range(LINES))
    assert (code, f"{LINES:,} answered" in summary) == (0, True)
