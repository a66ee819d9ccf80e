"""The trainer handles every event of a newer release whose words it does not know."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from rondo.contracts.events.deployment import DeploymentChanged
from rondo.contracts.events.models import SpecApplied
from rondo.contracts.events.training import TrainingRequested, TrainingSkipped
from rondo.trainer import handlers

from tests.support.future_words import WORD, from_the_future

if TYPE_CHECKING:
    from rondo.contracts.events.base import Event

HANDLERS = handlers.routes().handlers


@pytest.mark.parametrize("event", HANDLERS, ids=lambda event: event.__name__)
async def test_no_handler_fails_on_unknown_words(event: type[Event], memory: Any, make: Any) -> None:
    await HANDLERS[event](make.enveloped(from_the_future(event)), memory)


async def test_an_unknown_trigger_trains_only_if_the_spec_names_it(memory: Any, make: Any) -> None:
    asked = from_the_future(TrainingRequested)
    for on, runs in (([], 0), ([WORD], 1)):
        spec = make.spec(model=asked.model, retrain={"on": on})
        await handlers.on_spec_applied(make.enveloped(make.spec_applied(spec, 1 + runs)), memory)
        await handlers.on_training_requested(make.enveloped(asked), memory)
        assert len(memory.runs) == runs
    assert [e.reason for e in memory.published if isinstance(e, TrainingSkipped)] == ["not_subscribed"]


async def test_specs_and_deployments_are_kept(memory: Any, make: Any) -> None:
    for event in (from_the_future(SpecApplied), from_the_future(DeploymentChanged)):
        await HANDLERS[type(event)](make.enveloped(event), memory)
    (spec,) = memory.specs.values()
    assert (spec.spec.trainer.kind, spec.spec.rollout.strategy) == (WORD, WORD)
