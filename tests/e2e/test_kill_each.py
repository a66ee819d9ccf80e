"""The story of a bad day: each service is killed once while flights stream in, and not one prediction is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from rondo.client import AsyncRondo, Connection
from rondo.embedded.stack import Stack
from rondo.flights.dataset import load
from rondo.flights.demo import run
from rondo.flights.plan import Hands, Plan
from rondo.flights.replay import day, stream_of

if TYPE_CHECKING:
    from pathlib import Path

    from rondo.flights.view import Snapshot


class Onlooker:
    """Watches in silence; pytest shows the steps of a run that failed."""

    def step(self, text: str) -> None:
        print(text)  # noqa: T201 - shown by pytest when the test fails

    def show(self, snapshot: Snapshot) -> None: ...


# When each is killed, by the progress of the replay. The first drift is found at about 0.57: the trainer and then the
# registry die while the answer to it is being made.
KILLS = {"ingestion": 0.1, "serving": 0.25, "monitor": 0.4, "trainer": 0.59, "registry": 0.62}


@pytest.mark.timeout(300)
async def test_kill_each_service_once_and_count(tmp_path: Path) -> None:
    async with Stack(tmp_path / "home") as stack:
        due = dict(KILLS)

        def kill_when_due(progress: float) -> None:
            for name in [name for name, at in due.items() if progress >= at]:
                del due[name]
                stack.kill(name)

        plan = Plan(speed=0.5, until=day(6, 5), required_redeployments=1)
        async with AsyncRondo(Connection.of_stack(stack.home)) as rondo:
            report = await run(rondo, stack.addresses.kafka, plan, Onlooker(), Hands(kill_when_due, stack.restarts))

    assert due == {}
    assert report.restarts == dict.fromkeys(KILLS, 1)
    assert report.problems == []
    flights = stream_of(load(), plan.stream_from, plan.until).height
    assert flights > 80_000
    assert report.answered == report.requests == report.expected == flights
