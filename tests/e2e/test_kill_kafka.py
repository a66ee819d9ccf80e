"""Kafka is killed while flights stream in.

The stack restarts it, and no prediction is lost or doubled.
"""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest
from rondo.client import AsyncRondo, Connection
from rondo.embedded.stack import Stack
from rondo.flights.dataset.messages import day
from rondo.flights.demo import run
from rondo.flights.plan import Plan, SystemControls
from rondo.flights.report.markdown import as_markdown

from tests.e2e.test_kill_each import Onlooker

if TYPE_CHECKING:
    from pathlib import Path

KILL_AT = 0.4


@pytest.mark.timeout(240)
@pytest.mark.slow
async def test_kill_kafka_and_count(tmp_path: Path) -> None:
    observer = Onlooker()
    async with Stack(tmp_path / "home") as stack:
        assert stack.kafka is not None
        due = [stack.kafka.process.pid or 0]

        def kill_when_due(progress: float) -> None:
            if due and progress >= KILL_AT:
                os.kill(due.pop(), signal.SIGKILL)

        plan = Plan(speed=0.25, training_speed=1.0, until=day(4, 1), required_redeployments=0)
        async with AsyncRondo(Connection.of_stack(stack.home)) as rondo:
            report = await run(rondo, plan, observer, SystemControls(kill_when_due, stack.restarts))

    print(as_markdown(report))  # noqa: T201 - shown by pytest when the test fails
    assert report.restarts["Kafka"] == 1
    assert report.problems == []
    assert report.answered == report.requests == report.expected > 25_000
    assert [outage.names for outage in report.outages] == [("Kafka",)]
    assert [each for each in observer.incidents.values() if each.startswith("Kafka died")]
