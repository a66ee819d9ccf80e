"""State by partition number, and changes of the control plane that another replica has handled, in PostgreSQL."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from importlib.resources import files
from typing import TYPE_CHECKING

import pytest
from rondo.chassis.postgres import pool
from rondo.chassis.settings import PostgresSettings
from rondo.contracts.events.cloudevents import Envelope
from rondo.contracts.events.models import SpecApplied
from rondo.monitor import handlers
from rondo.monitor.errors import FencedError
from rondo.monitor.ports import Checkpoint
from rondo.monitor.state.codec import encode_state, nothing_stored
from rondo.monitor.state.postgres_control_plane import ControlPlaneChanges, handling
from rondo.monitor.state.postgres_state import PostgresStore, saved_count
from rondo.monitor.stream.partition_numbers import PartitionNumber, number_of

from tests.monitor.builders import SPEC
from tests.monitor.state.states import filled_state
from tests.support.evidence import EvidenceStore
from tests.support.settings import load
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from rondo.chassis.postgres.pool import Database

COUNT = 4
# A model for each number.
NAMES = {number_of(f"m{n}", COUNT): f"m{n}" for n in range(40)}
PLACES = {("predictions.log", number): 5 for number in range(COUNT)}


def settings_of(address: str) -> PostgresSettings:
    environment = {
        "RONDO_SERVICE": "monitor", "RONDO_KAFKA": "unused:1", "RONDO_HTTP_PORT": "0", "RONDO_POSTGRES": address,
    }  # fmt: skip
    return load(PostgresSettings, environment)


@pytest.fixture
async def two_replicas(database: Callable[[str], Awaitable[str]]) -> AsyncIterator[tuple[Database, Database]]:
    settings, migrations = settings_of(await database("monitor")), files("rondo.monitor") / "migrations"
    async with AsyncExitStack() as opened:
        first, second = [await opened.enter_async_context(pool.connect(settings, migrations)) for _ in range(2)]
        assert await saved_count(first, COUNT) == COUNT
        yield first, second


def store(database: Database, number: int) -> PostgresStore:
    return PostgresStore(database, PartitionNumber(number, COUNT))


async def save(database: Database, number: int, generation: int) -> None:
    saved, _ = encode_state(filled_state(), nothing_stored())
    positions = {place: offset + generation for place, offset in PLACES.items() if place[1] == number}
    await store(database, number).save(Checkpoint(generation, positions, {NAMES[number]: saved}), [])


async def test_a_number_has_a_state_positions_and_a_generation_of_its_own(
    two_replicas: tuple[Database, Database],
) -> None:
    first, second = two_replicas
    await save(first, 0, 0)
    await save(second, 1, 0)
    await save(second, 1, 1)
    found = [await store(first, number).load() for number in range(COUNT)]
    assert [each.generation for each in found] == [1, 2, 0, 0]
    assert [list(each.models) for each in found] == [[NAMES[0]], [NAMES[1]], [], []]
    assert [each.positions for each in found] == [{("predictions.log", 0): 5}, {("predictions.log", 1): 6}, {}, {}]


async def test_a_save_of_a_former_owner_is_refused_and_those_of_other_numbers_go_on(
    two_replicas: tuple[Database, Database],
) -> None:
    first, second = two_replicas
    await save(second, 0, 0)
    with pytest.raises(FencedError) as fenced:
        await save(first, 0, 0)
    assert (fenced.value.number, fenced.value.generation) == (0, 0)
    await save(first, 1, 0)
    assert (await store(first, 0).load()).generation == 1


async def test_of_saves_at_the_same_time_one_wins(two_replicas: tuple[Database, Database]) -> None:
    ended = await asyncio.gather(*(save(each, 2, 0) for each in two_replicas * 3), return_exceptions=True)
    assert sorted(type(each).__name__ for each in ended) == ["FencedError"] * 5 + ["NoneType"]
    assert (await store(two_replicas[0], 2).load()).generation == 1


@pytest.mark.slow
async def test_a_load_sees_one_checkpoint_while_others_are_saved(two_replicas: tuple[Database, Database]) -> None:
    async def save_many() -> None:
        for generation in range(60):
            await save(two_replicas[0], 3, generation)

    saving = asyncio.create_task(save_many())
    seen = set()
    while not saving.done():
        found = await store(two_replicas[1], 3).load()
        seen.add(found.generation)
        # The save of generation g writes the position 5 + g, and increments the generation.
        assert list(found.positions.values()) == ([4 + found.generation] if found.generation else [])
    await saving
    assert len(seen) > 1


async def test_the_count_of_numbers_is_that_of_the_first_start(two_replicas: tuple[Database, Database]) -> None:
    counts = await asyncio.gather(*(saved_count(each, count) for each in two_replicas for count in (8, 12)))
    assert counts == [COUNT] * 4


async def test_state_that_was_saved_without_numbers_is_kept(
    database: Callable[[str], Awaitable[str]], tmp_path: Path
) -> None:
    """The tables are those of the migrations before, with the rows of a monitor that read all partitions."""
    migrations = files("rondo.monitor") / "migrations"
    for name in ("001_monitor.sql", "002_skew.sql"):
        (tmp_path / name).write_text((migrations / name).read_text())
    saved, _ = encode_state(filled_state(), nothing_stored())
    settings = settings_of(await database("monitor"))
    async with pool.connect(settings, tmp_path) as before:
        await before.pool.execute("update generations set generation = 7")
        for model in NAMES.values():
            query = "insert into model_states (model, figures, windows, evidence) values ($1, $2, $3, $4)"
            await before.pool.execute(query, model, saved.figures, saved.windows, saved.evidence)
            for name, table in saved.tables.items():
                await before.pool.execute("insert into live_rows values ($1, $2, $3)", model, name, table.live)
                for content in table.segments:
                    await before.pool.execute("insert into segments values ($1, $2, 6, $3)", model, name, content)
        for place, offset in PLACES.items():
            await before.pool.execute("insert into positions values ($1, $2, $3)", *place, offset)
    async with pool.connect(settings, migrations) as after:
        assert await saved_count(after, COUNT) == COUNT
        for number, model in NAMES.items():
            found = await store(after, number).load()
            assert found.generation == 7
            assert found.positions == {("predictions.log", number): 5}
            assert found.models.keys() == {model}
            assert found.models[model].figures == saved.figures
            for name, table in saved.tables.items():
                kept = found.models[model].tables[name]
                assert (kept.live, kept.segments) == (table.live, table.segments)
        await save(after, 0, 7)
        assert (await store(after, 0).load()).generation == 8


async def test_a_number_has_the_control_plane_of_its_models_and_is_notified_of_changes_elsewhere(
    two_replicas: tuple[Database, Database],
) -> None:
    here, elsewhere = ControlPlaneChanges(two_replicas[0]), ControlPlaneChanges(two_replicas[1])
    signals = [here.signal(), here.signal()]
    assert all(each.consume() for each in signals), "at first they are set"
    listening = asyncio.create_task(here.run())
    # The signals are set once more when the connection listens.
    for each in signals:
        await until(each.consume)
    for number, name in NAMES.items():
        event = SpecApplied(model=name, revision=1, digest=SPEC.digest, spec=SPEC)
        envelope = Envelope(f"e{number}", "test", datetime.now(UTC), event)
        async with handling(two_replicas[1], elsewhere)(envelope) as work:
            await handlers.event_handlers(EvidenceStore())[SpecApplied](envelope, work)
    for each in signals:
        await until(each.consume)
    for number, name in NAMES.items():
        assert list((await store(two_replicas[0], number).control_plane()).specs) == [name]
    listening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await listening
