"""The answers of another replica about a model, from its last checkpoint in PostgreSQL."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from rondo.chassis.postgres import pool
from rondo.chassis.settings import PostgresSettings
from rondo.contracts.events.cloudevents import Envelope
from rondo.contracts.events.models import ModelRemoved, SpecApplied
from rondo.monitor import handlers
from rondo.monitor.assignment.model_answers import ModelAnswers
from rondo.monitor.assignment.ports import Assignment
from rondo.monitor.assignment.saved_models import SavedModelAnswers
from rondo.monitor.costs.cost_status import Power
from rondo.monitor.errors import UnknownModelError, UnreadableStateError
from rondo.monitor.pipeline import MonitorPipeline
from rondo.monitor.settings import MonitorTimings
from rondo.monitor.state.postgres_control_plane import CommitSignal, handling
from rondo.monitor.state.postgres_state import PostgresModels, PostgresStore, saved_count
from rondo.monitor.status.model_status import over_models

from tests.monitor.assignment.test_replica import running
from tests.monitor.builders import DIGEST_2, MODEL, SPEC
from tests.monitor.events import control_plane, deployed
from tests.monitor.fakes import FakeClock, messages
from tests.monitor.pipeline.stores import KNOWN, PREDICTED
from tests.monitor.state.test_stores import rollout
from tests.support.evidence import EvidenceStore
from tests.support.settings import load

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from rondo.chassis.postgres.pool import Database
    from rondo.contracts.events.base import Event

pytestmark = pytest.mark.medium
UNUSED: Any = None


@dataclass
class Replicas:
    """A replica that has all models in its pipeline, and the answers of another one."""

    database: Database
    signal: CommitSignal
    pipeline: MonitorPipeline
    others: SavedModelAnswers

    async def handle(self, *events: Event) -> None:
        for event in events:
            envelope = Envelope(str(uuid4()), "test", datetime.now(UTC), event)
            async with handling(self.database, self.signal)(envelope) as work:
                await handlers.event_handlers(EvidenceStore())[type(event)](envelope, work)


@pytest.fixture
async def replicas(database: Callable[[str], Awaitable[str]]) -> AsyncIterator[Replicas]:
    environment = {
        "RONDO_SERVICE": "monitor", "RONDO_KAFKA": "unused:1", "RONDO_HTTP_PORT": "0",
        "RONDO_POSTGRES": await database("monitor"),
    }  # fmt: skip
    async with pool.connect(load(PostgresSettings, environment), files("rondo.monitor") / "migrations") as opened:
        await saved_count(opened, 1)
        signal = CommitSignal()
        pipeline = MonitorPipeline(PostgresStore(opened), signal, FakeClock(), MonitorTimings())
        await pipeline.load()
        yield Replicas(opened, signal, pipeline, SavedModelAnswers(PostgresModels(opened), Power()))


async def test_another_replica_answers_what_the_owner_does(replicas: Replicas) -> None:
    await replicas.handle(*control_plane())
    half = len(PREDICTED) * 5 // 8
    for part in (slice(half), slice(half, None)):
        await replicas.pipeline.advance(messages(PREDICTED[part], KNOWN[part], first=part.start or 0))
        owner = await replicas.pipeline.status(MODEL)
        assert owner == await replicas.others.status(MODEL)
        assert await replicas.pipeline.summaries() == over_models(await replicas.others.summaries(set()))
    assert owner.alerts.keys() == {"drift", "performance"}
    assert [each.rows for each in owner.windows] == [200]
    wanted = await replicas.pipeline.wanted_labels(MODEL, 10, uncertain=False)
    assert wanted == await replicas.others.wanted_labels(MODEL, 10, uncertain=False)
    assert await replicas.others.summaries({MODEL}) == ()


async def test_a_summary_follows_the_control_plane_and_each_checkpoint(replicas: Replicas) -> None:
    assert await replicas.others.summaries(set()) == ()
    await replicas.handle(*control_plane())
    (before,) = await replicas.others.summaries(set())
    assert (before.model, before.version, before.watermark) == (MODEL, 1, None)
    await replicas.pipeline.advance(messages(PREDICTED[:12], KNOWN[:12]))
    (counted,) = await replicas.others.summaries(set())
    assert counted.watermark is not None
    await replicas.handle(deployed(2, 2, DIGEST_2))
    # The owner applies the promotion next, in the same way.
    assert [each.version for each in await replicas.others.summaries(set())] == [2]
    assert (await replicas.others.status(MODEL)).version == 2


@pytest.mark.parametrize(
    "damage",
    [
        "figures = figures - 'watermark'",
        """figures = jsonb_set(figures, '{champion,shade}', '"red"')""",
        "windows = 'x'",
    ],
    ids=["a key is missing", "a key of a later release", "no table"],
)
async def test_a_model_whose_state_is_unreadable_does_not_hide_the_others(replicas: Replicas, damage: str) -> None:
    other = SPEC.model_copy(update={"model": "other"})
    await replicas.handle(*control_plane(), SpecApplied(model="other", revision=1, digest=other.digest, spec=other))
    await replicas.pipeline.advance(messages(PREDICTED[:12], KNOWN[:12]))
    async with replicas.database.transaction() as transaction:
        await transaction.connection.execute(f"update model_states set {damage} where model = $1", MODEL)  # noqa: S608
    of_model, of_other = sorted(await replicas.others.summaries(set()), key=lambda each: each.model == "other")
    said = str(of_model.no_verdict)
    assert all(
        fact in said
        for fact in (
            "can't be shown here",
            "this replica can't read the saved state of",
            "run one release of the monitor on all replicas",
        )
    )
    # Another replica may read the state.
    assert "not monitored" not in said
    assert "rondo remove" not in said
    assert "can't be shown" not in str(of_other.no_verdict)
    with pytest.raises(UnreadableStateError) as caught:
        await replicas.others.status(MODEL)
    assert caught.value.model == MODEL


async def test_a_rollout_that_waits_for_a_person_is_an_open_alert_of_every_replica(replicas: Replicas) -> None:
    await replicas.handle(*control_plane())
    assert [each.open_alerts for each in await replicas.others.summaries(set())] == [()]
    for state, kinds in (("asking", ("undecided_rollout",)), ("running", ())):
        await replicas.handle(rollout(state, 1))
        await replicas.pipeline.advance([])
        statuses = [await each.status(MODEL) for each in (replicas.pipeline, replicas.others)]
        summaries = [*await replicas.pipeline.summaries(), *await replicas.others.summaries(set())]
        assert [tuple(each.alerts) for each in statuses] == [each.open_alerts for each in summaries] == [kinds] * 2
        assert statuses[0] == statuses[1]


async def test_a_model_that_was_removed_is_unknown(replicas: Replicas) -> None:
    with pytest.raises(UnknownModelError):
        await replicas.others.status(MODEL)
    await replicas.handle(*control_plane())
    await replicas.others.require(MODEL)
    await replicas.pipeline.advance(messages(PREDICTED[:12], KNOWN[:12]))
    await replicas.handle(ModelRemoved(model=MODEL, revision=2, decided_by="ana"))
    for asked in (replicas.others.require(MODEL), replicas.others.status(MODEL)):
        with pytest.raises(UnknownModelError) as unknown:
            await asked
        assert (unknown.value.model, unknown.value.known) == (MODEL, [])
    assert await replicas.others.summaries(set()) == ()
    await replicas.handle(SpecApplied(model=MODEL, revision=3, digest=SPEC.digest, spec=SPEC))
    assert (await replicas.others.status(MODEL)).watermark is None, "it starts over"


async def test_each_model_is_answered_about_from_memory_where_it_is(replicas: Replicas) -> None:
    """The pipeline takes rows and saves nothing."""
    await replicas.handle(*control_plane())
    await replicas.pipeline.advance(messages(PREDICTED[:2], KNOWN[:2]))
    in_memory = await replicas.pipeline.status(MODEL)
    assert in_memory != await replicas.others.status(MODEL)
    async with running(replicas.pipeline) as found:
        answers = ModelAnswers(found.replica, replicas.others)
        assert await answers.status(MODEL) == await replicas.others.status(MODEL)
        await found.group.queue.put(Assignment(frozenset(range(4)), {"predictions.log": 4, "outcomes.log": 4}))
        await found.group.queue.join()
        assert await answers.status(MODEL) == in_memory
        await answers.require(MODEL)
        assert {each.watermark for each in await answers.summaries()} == {in_memory.watermark}
        assert await answers.evident() == {}, "there is no evidence yet"
        await replicas.pipeline.advance(messages(PREDICTED[2:], KNOWN[2:], first=2))
        assert await answers.evident() == {(MODEL, 1): True}
        with pytest.raises(UnknownModelError):
            await answers.require("unknown")
