"""Each up and down transition of a dependency is logged once."""

from __future__ import annotations

import asyncio
import logging

import pytest
from prometheus_client import generate_latest
from rondo.chassis.errors import UnavailableError
from rondo.chassis.health import Health
from rondo.chassis.service import background


async def test_what_has_not_answered_yet_is_named_with_the_remedy() -> None:
    health = Health()
    health.expect("kafka", "Kafka at here:9092", "way out")
    health.started()
    report = await health.report()
    assert report.keys() == {"kafka"}
    assert "Kafka at here:9092" in report["kafka"]
    assert "way out" in report["kafka"]


def up() -> dict[str, str]:
    """Return the values of `rondo_dependency_up`, by dependency."""
    lines = [line for line in generate_latest().decode().splitlines() if line.startswith("rondo_dependency_up{")]
    return {line.split('"')[1]: line.split()[-1] for line in lines}


@pytest.mark.medium
async def test_a_completed_start_is_no_dependency_in_the_metrics() -> None:
    health = Health()
    await health.report()
    assert up()["start"] == "0.0"
    under_way = asyncio.create_task(health.report())
    await asyncio.sleep(0)  # by now it has its list of checks
    health.started()
    await under_way
    assert await health.report() == {}
    assert "start" not in up()


async def test_each_transition_of_a_dependency_is_logged_once(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rondo.chassis.health._WATCH_SECONDS", 0.001)
    caplog.set_level(logging.INFO, "rondo.chassis.health")
    health, unavailable, error = Health(), True, UnavailableError("Kafka", "no answer")
    asked: asyncio.Queue[None] = asyncio.Queue()

    async def check() -> None:
        asked.put_nowait(None)
        if unavailable:
            raise error

    health.add("kafka", check)
    health.started()
    async with background(health.watch()):
        for _ in range(20):
            await asked.get()
        unavailable = False
        for _ in range(20):
            await asked.get()
    down, up = caplog.records
    assert (down.levelname, down.getMessage()) == ("WARNING", f"kafka: {error}")
    assert (up.levelname, up.getMessage().split()[0], up.getMessage().split()[-2:]) == ("INFO", "kafka", ["0", "s"])
