"""One behaviour suite over the store in memory and the one in PostgreSQL."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.resources import files
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import numpy as np
import pytest
from monitor_events import deployed, trained
from monitor_fakes import MemoryStore
from monitor_world import (
    DIGEST,
    DIGEST_2,
    EPOCH,
    MODEL,
    PROFILED,
    REFERENCE,
    SPEC,
    WRITTEN,
    encode_predictions,
    outcomes,
    predictions,
    rows,
    spec,
    times,
)
from rondo.chassis.postgres import pool as chassis
from rondo.chassis.settings import PostgresSettings, load
from rondo.contracts.events.cloudevents import Envelope
from rondo.contracts.events.models import SpecApplied
from rondo.contracts.events.monitoring import AlertResolved
from rondo.monitor import handlers
from rondo.monitor.alerts.coverage import Coverage
from rondo.monitor.alerts.findings import Announcement
from rondo.monitor.errors import FencedError
from rondo.monitor.model_state import Watch
from rondo.monitor.ports import Champion, News, Saved, Store, Work
from rondo.monitor.state.codec import freeze, thaw
from rondo.monitor.state.postgres_control_plane import CommittedNews, handling
from rondo.monitor.state.postgres_state import PostgresStore
from rondo.monitor.state.segments import Stored
from rondo.monitor.stream.log_messages import read_predictions
from rondo.monitor.stream.message_buffer import Waiting
from rondo.monitor.stream.watermark import NEVER, Watermark

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from rondo.contracts.events.base import Event


FROM_BEFORE_PARTS = """
insert into watches (model, figures, windows, predictions, outcomes, held) values ($1, $2, $3, $4, $5, $6)
"""


@dataclass
class World:
    """A store, how an event's work begins, the news, and what was announced (the ids, in order)."""

    store: Store
    begin: Callable[[Envelope[Any]], AbstractAsyncContextManager[Work]]
    news: News
    announced: Callable[[], Awaitable[list[str]]]

    async def hear(self, event: Event) -> None:
        """Handle an event of the control plane."""
        envelope = Envelope(str(uuid4()), "test", datetime.now(UTC), event)
        async with self.begin(envelope) as work:
            await handlers.routes().handlers[type(event)](envelope, work)


@pytest.fixture(params=["memory", "postgres"])
async def world(request: pytest.FixtureRequest, database: Callable[[str], Awaitable[str]]) -> AsyncIterator[World]:
    if request.param == "memory":
        store = MemoryStore()

        async def announced() -> list[str]:
            return [each.event_id for each in store.announced]

        yield World(store, lambda _: store.work(), store, announced)
        return
    environment = {
        "RONDO_SERVICE": "monitor", "RONDO_KAFKA": "unused:1", "RONDO_HTTP_PORT": "0",
        "RONDO_API_TOKEN": "a-token-for-the-tests", "RONDO_POSTGRES": await database("monitor"),
    }  # fmt: skip
    settings = load(PostgresSettings, environment)
    async with chassis.connect(settings, files("rondo.monitor") / "migrations") as opened:
        news = CommittedNews()

        async def written() -> list[str]:
            return [row["event_id"] for row in await opened.pool.fetch("select event_id from outbox order by id")]

        yield World(PostgresStore(opened), handling(opened, news), news, written)


async def test_a_state_from_before_the_parts_is_taken_over(
    database: Callable[[str], Awaitable[str]], tmp_path: Path
) -> None:
    environment = {
        "RONDO_SERVICE": "monitor", "RONDO_KAFKA": "unused:1", "RONDO_HTTP_PORT": "0",
        "RONDO_API_TOKEN": "a-token-for-the-tests", "RONDO_POSTGRES": await database("monitor"),
    }  # fmt: skip
    migrations, expected = files("rondo.monitor") / "migrations", watched()
    saved = freeze(expected)
    figures = saved.figures | {"watermark": expected.watch.watermark.newest, "known": expected.watch.known.newest}
    before = {name: figures[name] for name in figures if name not in {"judged", "coverage"}}
    (tmp_path / "0001_monitor.sql").write_text((migrations / "0001_monitor.sql").read_text())
    settings = load(PostgresSettings, environment)
    async with chassis.connect(settings, tmp_path) as opened:
        contents = [part for kept in saved.waiting.values() for part in kept.parts]
        await opened.pool.execute(FROM_BEFORE_PARTS, MODEL, before, saved.windows, *contents)
    async with chassis.connect(settings, migrations) as opened:
        kept = (await PostgresStore(opened).load()).watches[MODEL]
    after, watch = thaw(MODEL, kept, expected.watch.disorder, now=0.0), expected.watch
    caught_up = (replace(watch.watermark.caught_up(), made=NEVER), replace(watch.known.caught_up(), made=NEVER))
    assert caught_up == (after.watch.watermark, after.watch.known)
    assert (watch.pending, watch.windows, watch.alarms) == (
        after.watch.pending,
        after.watch.windows,
        after.watch.alarms,
    )
    assert [each.value for each in expected.held] == [each.value for each in after.held]


async def test_what_the_control_plane_said_is_known_and_news(world: World) -> None:
    world.news.heard()
    await world.hear(SpecApplied(model=MODEL, revision=1, digest=SPEC.digest, spec=SPEC))
    assert (world.news.heard(), world.news.heard()) == (True, False)
    await world.hear(trained())
    await world.hear(deployed(1, 1, DIGEST))
    known = await world.store.knowledge()
    assert ({MODEL: SPEC}, {MODEL: Champion(1, 1, DIGEST)}) == (known.specs, known.champions)
    assert await world.store.profiles([DIGEST, DIGEST_2]) == {DIGEST: PROFILED}


async def test_an_older_revision_changes_nothing(world: World) -> None:
    for revision, window in ((2, "7d"), (1, "1d"), (2, "1d")):
        applied = spec(window=window)
        await world.hear(SpecApplied(model=MODEL, revision=revision, digest=applied.digest, spec=applied))
    for revision, version in ((5, 2), (4, 1)):
        await world.hear(deployed(revision, version, DIGEST_2))
    known = await world.store.knowledge()
    assert (spec(window="7d"), Champion(5, 2, DIGEST_2)) == (known.specs[MODEL], known.champions[MODEL])


async def test_a_deployment_without_a_champion_leaves_the_last_in_force(world: World) -> None:
    await world.hear(deployed(1, 1, DIGEST))
    await world.hear(deployed(2, 2, DIGEST_2, role="shadow"))
    assert (await world.store.knowledge()).champions[MODEL].version == 1


async def test_at_first_there_is_nothing(world: World) -> None:
    assert Saved(0, {}, {}) == await world.store.load()


async def test_state_positions_and_announcements_are_saved_as_one(world: World) -> None:
    kept = freeze(watched())
    said = Announcement(AlertResolved(model=MODEL, alert_id="a", detail="over", resolved_at=EPOCH), "a-resolved")
    await world.store.save(Saved(0, {("predictions.log", 3): 7}, {MODEL: kept}), [said])
    await world.store.save(Saved(1, {("predictions.log", 3): 9, ("outcomes.log", 0): 1}, {}), [])
    assert Saved(2, {("predictions.log", 3): 9, ("outcomes.log", 0): 1}, {MODEL: kept}) == await world.store.load()
    assert await world.announced() == ["a-resolved"]


async def test_who_saves_after_somebody_else_is_refused_and_saves_nothing(world: World) -> None:
    await world.store.save(Saved(0, {("predictions.log", 0): 1}, {}), [])
    said = Announcement(AlertResolved(model=MODEL, alert_id="a", detail="over", resolved_at=EPOCH), "x")
    with pytest.raises(FencedError, match="run one monitor at a time"):
        await world.store.save(Saved(0, {("predictions.log", 0): 5}, {}), [said])
    assert (await world.store.load()).positions == {("predictions.log", 0): 1}
    assert await world.announced() == []


async def test_what_waits_is_written_once_and_read_back_as_it_is(world: World) -> None:
    waiting, written = watched(), 0
    for turn in range(4):
        ask(waiting, 100 * turn, 100)
        waiting.watch.settle()
        saved = freeze(waiting)
        written += sum(len(part) for kept in saved.waiting.values() for part in kept.parts)
        await world.store.save(Saved(turn, {}, {MODEL: saved}), [])
        kept = (await world.store.load()).watches[MODEL]
        assert waiting.watch == thaw(MODEL, kept, waiting.watch.disorder, now=0.0).watch
    assert [len(part.parts) for part in kept.waiting.values()] == [4, 4, 4]
    assert written == sum(len(part) for each in kept.waiting.values() for part in each.parts)


async def test_what_waits_no_more_is_deleted(world: World) -> None:
    waiting = watched()
    await world.store.save(Saved(0, {}, {MODEL: freeze(waiting)}), [])
    waiting.watch.pending = replace(waiting.watch.pending, predictions=waiting.watch.pending.predictions.slice(0, 0))
    await world.store.save(Saved(1, {}, {MODEL: freeze(waiting)}), [])
    assert (await world.store.load()).watches[MODEL].waiting["predictions"].parts == ()


def ask(waiting: Waiting, first: int, count: int) -> None:
    """Ask, and tell every third outcome, and one that nobody asked for; a message more is held."""
    watch, rng = waiting.watch, np.random.default_rng(first)
    ids, at = [f"{first + n}" for n in range(count)], times(0, count)
    table = predictions(rows(rng, count), at, ids)
    watch.take_predictions(table, 1, REFERENCE)
    told = [*ids[::3], f"nobody-{first}"]
    watch.take_outcomes(outcomes(list(told), np.ones(len(told)), times(0.01, len(told))), WRITTEN)
    held = encode_predictions(table, 2, DIGEST_2)
    waiting.hold(held, read_predictions(held), now=0.0)


def watched() -> Waiting:
    waiting = Waiting(Watch(MODEL))
    waiting.watch.apply(SPEC)
    waiting.watch.promote(Champion(3, 1, DIGEST))
    ask(waiting, 0, 30)
    waiting.watch.settle()
    return waiting


def test_a_watch_from_before_set_back_clocks_and_full_blocks_thaws() -> None:
    saved = freeze(watched())
    old = {"newest": 3, "passed": 2, "made": 1, "ahead": [[1, 3]]}
    coverage = {"rows": 1, "left_out": 1, "blocks": 7, "alarm": saved.figures["coverage"]["alarm"]}  # type: ignore[index]
    before = replace(saved, figures={**saved.figures, "watermark": old, "coverage": coverage})
    after = thaw(MODEL, before, 1, now=0.0).watch
    assert after.watermark == Watermark(3, 2, 1, ((1, 3),))
    assert after.left_out.coverage == Coverage(1, 1, 7)


def test_a_watch_thaws_as_it_was_frozen() -> None:
    before = watched()
    after = thaw(MODEL, freeze(before), before.watch.disorder, now=5.0)
    assert before.watch == after.watch
    assert (after.watch.pending.predictions.num_rows, after.watch.pending.outcomes.num_rows) == (20, 1)
    assert [each.value for each in before.held] == [each.value for each in after.held]
    assert (after.held_bytes, after.held[0].since, after.stored) == (before.held_bytes, 5.0, Stored(1, 1))
