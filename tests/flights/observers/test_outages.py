"""Outages: found by the counts of restarts, ended by the readiness of the services."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from rondo.flights.observers.outages import Outage, OutageObserver

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


class World:
    """Counts, readiness and a clock, as a test sets them."""

    def __init__(self) -> None:
        self.counts = {"serving": 0, "Kafka": 0}
        self.ready = True
        self.asked = 0
        self.now = NOW

    async def all_ready(self) -> bool:
        self.asked += 1
        return self.ready

    def outages(self) -> OutageObserver:
        return OutageObserver(lambda: self.counts, self.all_ready, lambda: self.now)


async def test_a_death_is_reported_at_once_and_its_end_when_everything_is_ready() -> None:
    world = World()
    outages = world.outages()
    world.counts["Kafka"] += 1
    world.ready = False
    await outages.check()
    assert [(each.kind, each.what.split()[0]) for each in outages.incidents] == [("Died", "Kafka")]
    assert outages.found == [Outage(("Kafka",), NOW, None)]
    world.now += timedelta(seconds=6)
    world.ready = True
    await outages.check()
    assert outages.incidents[-1].kind == "Recovered"
    assert re.search(r"6\.0 s .*Kafka", outages.incidents[-1].what)
    assert outages.found == [Outage(("Kafka",), NOW, 6.0)]


async def test_deaths_before_the_recovery_are_one_outage_and_later_ones_the_next() -> None:
    world = World()
    outages = world.outages()
    world.ready = False
    for name in ("Kafka", "serving"):
        world.counts[name] += 1
        await outages.check()
    world.ready = True
    await outages.check()
    world.counts["serving"] += 1
    await outages.check()
    assert [each.names for each in outages.found] == [("Kafka", "serving"), ("serving",)]
    assert [each.kind for each in outages.incidents] == ["Died", "Died", "Recovered", "Died", "Recovered"]
    assert len({each.id for each in outages.incidents}) == 5


async def test_while_no_process_has_died_readiness_is_not_polled() -> None:
    world = World()
    world.ready = False
    outages = world.outages()
    await outages.check()
    assert (world.asked, outages.found, outages.incidents) == (0, [], [])
