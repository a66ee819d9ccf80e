"""One suite for the store in memory and the store in PostgreSQL."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from rondo.chassis.postgres import pool
from rondo.chassis.settings import PostgresSettings
from rondo.contracts.events.cloudevents import Envelope
from rondo.contracts.events.deployment import RolloutChanged
from rondo.contracts.events.models import ModelRemoved, SpecApplied
from rondo.contracts.events.monitoring import AlertResolved
from rondo.monitor import handlers
from rondo.monitor.alerts.findings import Announcement
from rondo.monitor.errors import FencedError
from rondo.monitor.ports import ChampionRevision, ChangeSignal, Checkpoint, Store, Work
from rondo.monitor.quality.skew import ServedSkew
from rondo.monitor.state.codec import decode_state, encode_state, nothing_stored
from rondo.monitor.state.postgres_control_plane import CommitSignal, handling
from rondo.monitor.state.postgres_state import PostgresStore, saved_count

from tests.monitor.builders import DIGEST, DIGEST_2, EPOCH, MODEL, PROFILE, SPEC, spec
from tests.monitor.events import deployed, trained
from tests.monitor.fakes import MemoryStore
from tests.monitor.quality.test_skew import measured
from tests.monitor.state.states import add_rows, filled_state, without_row_numbers
from tests.support.evidence import EvidenceStore
from tests.support.settings import load

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from contextlib import AbstractAsyncContextManager

    from rondo.contracts.events.base import Event

END = Announcement(AlertResolved(model=MODEL, alert_id="a", detail="over", resolved_at=EPOCH), "a-resolved")


@dataclass
class StoreUnderTest:
    """`published` returns the ids of the published events, in order."""

    store: Store
    begin: Callable[[Envelope[Any]], AbstractAsyncContextManager[Work]]
    signal: ChangeSignal
    published: Callable[[], Awaitable[list[str]]]

    async def handle(self, event: Event) -> None:
        envelope = Envelope(str(uuid4()), "test", datetime.now(UTC), event)
        async with self.begin(envelope) as work:
            await handlers.event_handlers(EvidenceStore())[type(event)](envelope, work)


@pytest.fixture(params=["memory", "postgres"])
async def under_test(
    request: pytest.FixtureRequest, database: Callable[[str], Awaitable[str]]
) -> AsyncIterator[StoreUnderTest]:
    if request.param == "memory":
        store = MemoryStore()

        async def published() -> list[str]:
            return [each.event_id for each in store.published]

        yield StoreUnderTest(store, lambda _: store.work(), store, published)
        return
    environment = {
        "RONDO_SERVICE": "monitor", "RONDO_KAFKA": "unused:1", "RONDO_HTTP_PORT": "0",
        "RONDO_POSTGRES": await database("monitor"),
    }  # fmt: skip
    settings = load(PostgresSettings, environment)
    async with pool.connect(settings, files("rondo.monitor") / "migrations") as opened:
        signal = CommitSignal()
        await saved_count(opened, 1)

        async def outbox() -> list[str]:
            return [row["event_id"] for row in await opened.pool.fetch("select event_id from outbox order by id")]

        yield StoreUnderTest(PostgresStore(opened), handling(opened, signal), signal, outbox)


async def test_a_handled_event_changes_the_control_plane_and_sets_the_signal(under_test: StoreUnderTest) -> None:
    under_test.signal.consume()
    await under_test.handle(SpecApplied(model=MODEL, revision=1, digest=SPEC.digest, spec=SPEC))
    assert (under_test.signal.consume(), under_test.signal.consume()) == (True, False)
    await under_test.handle(trained())
    await under_test.handle(deployed(1, 1, DIGEST))
    snapshot = await under_test.store.control_plane()
    assert ({MODEL: SPEC}, {MODEL: ChampionRevision(1, 1, DIGEST)}) == (snapshot.specs, snapshot.champions)
    assert await under_test.store.profiles([DIGEST, DIGEST_2]) == {DIGEST: PROFILE}


@pytest.mark.parametrize("order", [(1, 2, 3), (3, 2, 1), (1, 3, 2)])
async def test_a_removal_is_known_also_where_the_next_spec_arrives_before_it(
    under_test: StoreUnderTest, order: tuple[int, ...]
) -> None:
    for revision in order:
        removed = ModelRemoved(model=MODEL, revision=revision, decided_by="ana")
        applied = SpecApplied(model=MODEL, revision=revision, digest=SPEC.digest, spec=SPEC)
        await under_test.handle(removed if revision == 2 else applied)
    snapshot = await under_test.store.control_plane()
    assert (snapshot.specs, snapshot.removals) == ({MODEL: SPEC}, {MODEL: 2})


async def test_an_older_revision_changes_nothing(under_test: StoreUnderTest) -> None:
    for revision, window in ((2, "7d"), (1, "1d"), (2, "1d")):
        applied = spec(window=window)
        await under_test.handle(SpecApplied(model=MODEL, revision=revision, digest=applied.digest, spec=applied))
    for revision, version in ((5, 2), (4, 1)):
        await under_test.handle(deployed(revision, version, DIGEST_2))
    snapshot = await under_test.store.control_plane()
    assert (spec(window="7d"), ChampionRevision(5, 2, DIGEST_2)) == (snapshot.specs[MODEL], snapshot.champions[MODEL])


async def test_a_removed_model_has_no_spec_until_a_later_revision(under_test: StoreUnderTest) -> None:
    await under_test.handle(ModelRemoved(model=MODEL, revision=2, decided_by="ana"))
    for revision, specs in ((1, {}), (3, {MODEL: SPEC})):
        await under_test.handle(SpecApplied(model=MODEL, revision=revision, digest=SPEC.digest, spec=SPEC))
        assert (await under_test.store.control_plane()).specs == specs


async def test_a_deployment_without_a_champion_keeps_the_previous_one(under_test: StoreUnderTest) -> None:
    await under_test.handle(deployed(1, 1, DIGEST))
    await under_test.handle(deployed(2, 2, DIGEST_2, role="shadow"))
    assert (await under_test.store.control_plane()).champions[MODEL].version == 1


async def test_an_empty_store_has_an_empty_checkpoint(under_test: StoreUnderTest) -> None:
    assert Checkpoint(0, {}, {}) == await under_test.store.load()


async def test_state_positions_and_events_are_saved_atomically(under_test: StoreUnderTest) -> None:
    saved, _ = encode_state(filled_state(), nothing_stored())
    positions = {("predictions.log", 3): 9, ("outcomes.log", 0): 1}
    await under_test.store.save(Checkpoint(0, {("predictions.log", 3): 7}, {MODEL: saved}), [END])
    await under_test.store.save(Checkpoint(1, positions, {}), [])
    assert Checkpoint(2, positions, {MODEL: saved}) == await under_test.store.load()
    assert await under_test.published() == ["a-resolved"]


async def test_a_save_of_a_stale_generation_is_refused_and_saves_nothing(under_test: StoreUnderTest) -> None:
    await under_test.store.save(Checkpoint(0, {("predictions.log", 0): 1}, {}), [])
    with pytest.raises(FencedError) as fenced:
        await under_test.store.save(Checkpoint(0, {("predictions.log", 0): 5}, {}), [END])
    assert fenced.value.generation == 0
    assert "the saved state of partition 0 is not available (another monitor saved it after generation 0)" in str(
        fenced.value
    )
    assert (await under_test.store.load()).positions == {("predictions.log", 0): 1}
    assert await under_test.published() == []


async def test_a_row_is_written_once_and_read_back_unchanged(under_test: StoreUnderTest) -> None:
    state, stored, written = filled_state(), nothing_stored(), 0
    for generation in range(4):
        add_rows(state, 100 * generation, 100)
        state.settle()
        saved, stored = encode_state(state, stored)
        written += sum(len(segment) for table in saved.tables.values() for segment in table.segments)
        await under_test.store.save(Checkpoint(generation, {}, {MODEL: saved}), [])
        loaded = (await under_test.store.load()).models[MODEL]
        decoded, _ = decode_state(MODEL, loaded, state.max_out_of_orderness, now=0.0)
        assert without_row_numbers(state) == without_row_numbers(decoded)
    segments = {name: len(table.segments) for name, table in loaded.tables.items()}
    assert segments == dict.fromkeys(("predictions", "outcomes", "labelled", "buffered"), 4) | {"compared": 0}
    assert written == sum(len(segment) for table in loaded.tables.values() for segment in table.segments)


async def test_the_segments_of_an_emptied_table_are_deleted(under_test: StoreUnderTest) -> None:
    state = filled_state()
    saved, stored = encode_state(state, nothing_stored())
    await under_test.store.save(Checkpoint(0, {}, {MODEL: saved}), [])
    state.unmatched = replace(state.unmatched, predictions=state.unmatched.predictions.slice(0, 0))
    saved, _ = encode_state(state, stored)
    await under_test.store.save(Checkpoint(1, {}, {MODEL: saved}), [])
    assert (await under_test.store.load()).models[MODEL].tables["predictions"].segments == ()


async def test_the_newest_comparisons_are_kept_and_a_removal_discards_them(under_test: StoreUnderTest) -> None:
    await under_test.handle(measured(0, x=40))
    await under_test.handle(measured(1, city=2))
    skew = (await under_test.store.control_plane()).skews[MODEL]
    assert skew == ServedSkew().plus(measured(0, x=40)).plus(measured(1, city=2))
    await under_test.handle(ModelRemoved(model=MODEL, revision=2, decided_by="tests"))
    assert (await under_test.store.control_plane()).skews[MODEL] == ServedSkew(3)


def rollout(state: str, hour: int = 0, model: str = MODEL, verdict: str = "inconclusive") -> RolloutChanged:
    at = EPOCH + timedelta(hours=hour)
    return RolloutChanged(
        model=model, candidate=2, champion=1, strategy="canary", state=state, share=0.25, verdict=verdict,
        answers=1_200, at=at,
    )  # fmt: skip


async def test_a_rollout_that_asks_opens_one_alert_that_ends_once_somebody_decides(under_test: StoreUnderTest) -> None:
    await under_test.handle(rollout("running"))
    assert await under_test.published() == []
    for _ in range(2):
        await under_test.handle(rollout("asking", 1))
    [raised] = await under_test.published()
    assert (await under_test.store.control_plane()).undecided_rollouts == {MODEL: raised.removesuffix("-raised")}
    await under_test.handle(rollout("paused", 2, model="other"))
    assert await under_test.published() == [raised]
    await under_test.handle(rollout("running", 2))
    await under_test.handle(rollout("asking", 3))
    await under_test.handle(rollout("aborted", 4))
    assert (await under_test.store.control_plane()).undecided_rollouts == {}
    first, over, second, over_again = await under_test.published()
    assert (first, over) == (raised, raised.replace("-raised", "-resolved"))
    assert over_again == second.replace("-raised", "-resolved")
    assert second != first


@pytest.mark.parametrize("removed_first", [True, False])
async def test_a_model_that_is_removed_asks_nobody(under_test: StoreUnderTest, *, removed_first: bool) -> None:
    await under_test.handle(SpecApplied(model=MODEL, revision=1, digest=SPEC.digest, spec=SPEC))
    removal = ModelRemoved(model=MODEL, revision=2, decided_by="ana")
    for each in (removal, rollout("asking")) if removed_first else (rollout("asking"), removal):
        await under_test.handle(each)
    kinds = [each.rpartition("-")[2] for each in await under_test.published()]
    assert kinds == ([] if removed_first else ["raised", "resolved"])


async def test_a_removal_ends_what_was_asked_before_it_also_where_the_model_is_applied_again(
    under_test: StoreUnderTest,
) -> None:
    """Topics have no order among each other: the new spec arrives before the removal, and a rollout after both."""
    await under_test.handle(rollout("asking"))
    await under_test.handle(SpecApplied(model=MODEL, revision=3, digest=SPEC.digest, spec=SPEC))
    removal = ModelRemoved(model=MODEL, revision=2, decided_by="ana")
    await under_test.handle(removal)
    kinds = [each.rpartition("-")[2] for each in await under_test.published()]
    assert kinds == ["raised", "resolved"]
    tomorrow = rollout("asking").model_copy(update={"at": datetime.now(UTC) + timedelta(days=1)})
    for each in (rollout("asking", 1), tomorrow, rollout("asking", 1), removal):
        await under_test.handle(each)
    kinds = [each.rpartition("-")[2] for each in await under_test.published()]
    assert kinds == ["raised", "resolved", "raised"]
