"""The story of a bad day: each service is killed once while flights stream in, and not one prediction is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from rondo.client import AsyncRondo, Connection
from rondo.embedded.services import SERVICES
from rondo.embedded.stack import Stack
from rondo.flights.demo import Hands, Plan, run
from rondo.flights.replay import day

if TYPE_CHECKING:
    from pathlib import Path

    from rondo.flights.view import Snapshot


class Onlooker:
    """Watches in silence; pytest shows the steps of a run that failed."""

    def step(self, text: str) -> None:
        print(text)  # noqa: T201 - shown by pytest when the test fails

    def show(self, snapshot: Snapshot) -> None: ...


@pytest.mark.timeout(300)
async def test_kill_each_service_once_and_count(tmp_path: Path) -> None:
    async with Stack(tmp_path / "home") as stack:
        names = [service.name for service in SERVICES]
        # The first at 10% of the replay, the last at 70%: each has time to come back while requests keep coming.
        due = {name: 0.1 + 0.15 * index for index, name in enumerate(names)}

        def kill_when_due(progress: float) -> None:
            for name in [name for name, at in due.items() if progress >= at]:
                del due[name]
                stack.kill(name)

        plan = Plan(speed=0.75, until=day(4, 22), required_redeployments=0)
        async with AsyncRondo(Connection.discover({"RONDO_HOME": str(stack.home)}, tmp_path)) as rondo:
            report = await run(rondo, stack.addresses.kafka, plan, Onlooker(), Hands(kill_when_due, stack.restarts))

    assert due == {}
    assert report.restarts == dict.fromkeys(names, 1)
    assert report.lost == ()
    assert report.doubled == ()
    assert report.refused == 0
    assert report.answered == report.requests > 40_000
