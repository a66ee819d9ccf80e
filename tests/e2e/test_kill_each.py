"""Each service and PostgreSQL are killed once while flights stream in.

No prediction is lost. The timeline shows the processes that died, and the recovery.
"""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest
from rondo.client import AsyncRondo, Connection
from rondo.embedded.stack import Stack
from rondo.flights.dataset.flights import load
from rondo.flights.dataset.messages import day, stream_of
from rondo.flights.demo import run
from rondo.flights.observers.outages import Incident
from rondo.flights.plan import Plan, SystemControls
from rondo.flights.report.markdown import as_markdown

if TYPE_CHECKING:
    from pathlib import Path

    from rondo.flights.view.snapshot import Snapshot


class Onlooker:
    """Records the incidents of the timeline."""

    def __init__(self) -> None:
        self.incidents: dict[str, str] = {}

    def step(self, text: str) -> None:
        print(text)  # noqa: T201 - shown by pytest when the test fails

    def show(self, snapshot: Snapshot) -> None:
        self.incidents |= {event.id: event.what for event in snapshot.events if isinstance(event, Incident)}


# The time of each kill, as progress of the replay. The first drift is found at about 0.57. The trainer and then the
# registry are killed while the new version is made.
KILLS = {"ingestion": 0.1, "serving": 0.2, "PostgreSQL": 0.3, "monitor": 0.42, "trainer": 0.59, "registry": 0.62}


@pytest.mark.timeout(300)
@pytest.mark.slow
async def test_kill_each_once_and_count(tmp_path: Path) -> None:
    observer = Onlooker()
    async with Stack(tmp_path / "home") as stack:
        due = dict(KILLS)
        processes = {each.name: each.process for each in (*stack.services.values(), stack.postgres) if each}

        def kill_when_due(progress: float) -> None:
            for name in [name for name, at in due.items() if progress >= at]:
                del due[name]
                # As a person would from another terminal.
                os.kill(processes[name].pid or 0, signal.SIGKILL)

        plan = Plan(speed=0.125, training_speed=1.0, until=day(6, 5), required_redeployments=1)
        async with AsyncRondo(Connection.of_stack(stack.home)) as rondo:
            report = await run(rondo, plan, observer, SystemControls(kill_when_due, stack.restarts))

    print(as_markdown(report))  # noqa: T201 - shown by pytest when the test fails
    assert due == {}
    assert report.restarts == {"Kafka": 0} | dict.fromkeys(KILLS, 1)
    assert report.problems == []
    flights = stream_of(load(), plan.stream_from, plan.until).height
    assert flights > 80_000
    assert report.answered == report.requests == report.expected == flights
    assert sorted(name for outage in report.outages for name in outage.names) == sorted(KILLS)
    assert all(outage.seconds is not None for outage in report.outages)
    assert {incident.partition(" died")[0] for incident in observer.incidents.values()} >= {*KILLS}
    assert any(incidents.startswith("ready again ") for incidents in observer.incidents.values())
