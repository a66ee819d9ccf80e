"""What died, and when all is ready again: by the counts of restarts, and by what the services say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from rondo.flights.observers.outages import Outage, Outages

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

    def outages(self) -> Outages:
        return Outages(lambda: self.counts, self.all_ready, lambda: self.now)


async def test_a_death_is_told_at_once_and_its_end_when_everything_is_ready() -> None:
    world = World()
    outages = world.outages()
    world.counts["Kafka"] += 1
    world.ready = False
    await outages.look()
    assert [(each.kind, each.what) for each in outages.incidents] == [("Died", "Kafka died, and is started again")]
    assert outages.found == [Outage(("Kafka",), NOW, None)]
    world.now += timedelta(seconds=6)
    world.ready = True
    await outages.look()
    assert (outages.incidents[-1].kind, outages.incidents[-1].what) == (
        "Healed",
        "ready again 6.0 s after Kafka died",
    )
    assert outages.found == [Outage(("Kafka",), NOW, 6.0)]


async def test_who_dies_before_all_is_well_belongs_to_the_same_outage_and_who_dies_later_to_the_next() -> None:
    world = World()
    outages = world.outages()
    world.ready = False
    for name in ("Kafka", "serving"):
        world.counts[name] += 1
        await outages.look()
    world.ready = True
    await outages.look()
    world.counts["serving"] += 1
    await outages.look()
    assert [each.names for each in outages.found] == [("Kafka", "serving"), ("serving",)]
    assert [each.kind for each in outages.incidents] == ["Died", "Died", "Healed", "Died", "Healed"]
    assert len({each.id for each in outages.incidents}) == 5


async def test_while_nobody_has_died_nobody_is_asked() -> None:
    world = World()
    world.ready = False
    outages = world.outages()
    await outages.look()
    assert (world.asked, outages.found, outages.incidents) == (0, [], [])
