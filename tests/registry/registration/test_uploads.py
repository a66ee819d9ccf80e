"""The file of a refused registration does not stay, unless something else needs it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from rondo.chassis.artifacts import Artifacts, digest_of
from rondo.contracts.events.cloudevents import Envelope
from rondo.contracts.events.training import TrainingFailed, TrainingSkipped, Trigger
from rondo.registry import commands, handlers

from tests.registry.scenarios import ANA, apply, handle

if TYPE_CHECKING:
    from pathlib import Path

    from rondo.contracts.events.base import Event
    from rondo.contracts.spec.model import ModelSpec

    from tests.registry.conftest import MakeTrained
    from tests.registry.scenarios import Backend

MODEL = b"a model made elsewhere"
NOW = datetime(2013, 3, 1, tzinfo=UTC)


@pytest.fixture
def artifacts(tmp_path: Path) -> Artifacts:
    return Artifacts(str(tmp_path))


async def register(store: Backend, artifacts: Artifacts) -> Trigger:
    async with store.work() as work:
        return await commands.register(work, "late", await artifacts.put(MODEL), ANA, NOW)


def failed(trigger: Trigger) -> TrainingFailed:
    return TrainingFailed(model="late", run_id=f"run-{trigger.id}", trigger=trigger, reason="no", attempts=1)


def skipped(trigger: Trigger, reason: str) -> TrainingSkipped:
    return TrainingSkipped(model="late", trigger=trigger, reason=reason, detail="why")


async def end(store: Backend, artifacts: Artifacts, event: Event, event_id: str = "e1") -> None:
    envelope = Envelope(event_id, "test", NOW, event)
    async with store.handling(envelope) as work:
        await handlers.event_handlers(artifacts)[type(event)](envelope, work)


async def test_the_file_of_a_failed_registration_is_removed(
    store: Backend, spec: ModelSpec, artifacts: Artifacts
) -> None:
    await apply(store, spec)
    trigger = await register(store, artifacts)
    assert await artifacts.has(digest_of(MODEL))
    await end(store, artifacts, failed(trigger))
    assert not await artifacts.has(digest_of(MODEL))


@pytest.mark.parametrize(("reason", "kept"), [("not_enough_data", False), ("no_spec", True), ("of-the-future", True)])
async def test_a_skipped_registration_keeps_its_file_only_if_it_is_repeated(
    store: Backend, spec: ModelSpec, artifacts: Artifacts, reason: str, *, kept: bool
) -> None:
    await apply(store, spec)
    await end(store, artifacts, skipped(await register(store, artifacts), reason))
    assert await artifacts.has(digest_of(MODEL)) == kept


async def test_a_file_that_another_registration_waits_with_is_kept_until_both_are_refused(
    store: Backend, spec: ModelSpec, artifacts: Artifacts
) -> None:
    await apply(store, spec)
    first, second = await register(store, artifacts), await register(store, artifacts)
    await end(store, artifacts, failed(first))
    assert await artifacts.has(digest_of(MODEL))
    await end(store, artifacts, failed(second), "e2")
    assert not await artifacts.has(digest_of(MODEL))


async def test_a_file_that_a_version_was_made_of_is_kept(
    store: Backend, spec: ModelSpec, artifacts: Artifacts, trained: MakeTrained
) -> None:
    await apply(store, spec)
    first, second = await register(store, artifacts), await register(store, artifacts)
    made = trained("run-1").model_copy(update={"trigger": first})
    await handle(store, made, "t1")
    await end(store, artifacts, failed(second))
    assert await artifacts.has(digest_of(MODEL))


async def test_the_failure_of_a_training_removes_nothing(store: Backend, spec: ModelSpec, artifacts: Artifacts) -> None:
    await apply(store, spec)
    digest = await artifacts.put(MODEL)
    await end(store, artifacts, failed(Trigger(id="m", kind="manual", at=NOW)))
    assert await artifacts.has(digest)
