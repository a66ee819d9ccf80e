"""The trainer handles every event of a newer release with unknown vocabulary words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from rondo.contracts.events.deployment import DeploymentChanged
from rondo.contracts.events.models import SpecApplied
from rondo.contracts.events.training import TrainingRequested, TrainingSkipped
from rondo.trainer import handlers

from tests.support.unknown_words import WORD, with_unknown_words
from tests.trainer import builders
from tests.trainer.fakes import MemoryStore, MemoryUnitOfWork

if TYPE_CHECKING:
    from rondo.contracts.events.base import Event

HANDLERS = handlers.event_handlers()


@pytest.fixture
def work() -> MemoryUnitOfWork:
    return MemoryUnitOfWork(MemoryStore())


@pytest.mark.medium
@pytest.mark.parametrize("event", HANDLERS, ids=lambda event: event.__name__)
async def test_no_handler_fails_on_unknown_words(event: type[Event], work: MemoryUnitOfWork) -> None:
    await HANDLERS[event](builders.enveloped(with_unknown_words(event)), work)


async def test_an_unknown_trigger_trains_only_if_the_spec_names_it(work: MemoryUnitOfWork) -> None:
    asked = with_unknown_words(TrainingRequested)
    for on, runs in (([], 0), ([WORD], 1)):
        spec = builders.spec(model=asked.model, retrain={"on": on})
        await handlers.on_spec_applied(builders.enveloped(builders.spec_applied(spec, 1 + runs)), work)
        await handlers.on_training_requested(builders.enveloped(asked), work)
        assert len(work.store.runs) == runs
    assert [e.reason for e in work.store.events if isinstance(e, TrainingSkipped)] == ["not_subscribed"]


async def test_an_unknown_policy_retrains_by_the_triggers_of_the_spec(work: MemoryUnitOfWork) -> None:
    spec = builders.spec(retrain={"policy": WORD, "on": ["drift"]})
    await handlers.on_spec_applied(builders.enveloped(builders.spec_applied(spec)), work)
    await handlers.on_drift_detected(builders.enveloped(builders.drift()), work)
    assert [run.trigger.kind for run in work.store.runs] == ["drift"]


@pytest.mark.medium
async def test_specs_and_deployments_are_kept(work: MemoryUnitOfWork) -> None:
    for event in (with_unknown_words(SpecApplied), with_unknown_words(DeploymentChanged)):
        await HANDLERS[type(event)](builders.enveloped(event), work)
    (spec,) = work.store.specs.values()
    assert (spec.spec.trainer.kind, spec.spec.rollout.strategy) == (WORD, WORD)
