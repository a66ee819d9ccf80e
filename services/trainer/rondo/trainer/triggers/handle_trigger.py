"""All that may start a training ends here: admit it and save the run, or publish why there is none."""

from __future__ import annotations

import hashlib
import logging
from typing import TYPE_CHECKING

from rondo.contracts.events.training import TrainingSkipped
from rondo.contracts.vocabularies import SkipReason, TriggerKind
from rondo.trainer import metrics
from rondo.trainer.triggers.admission import Known, Skip, Start, admit

if TYPE_CHECKING:
    from rondo.contracts.events.training import Trigger
    from rondo.trainer.ports import Work

log = logging.getLogger(__name__)


async def consider(model: str, trigger: Trigger, work: Work) -> None:
    """Decide about one trigger; save the run and wake a worker, or publish why there is none."""
    history = await work.history(model)  # first: with it comes the turn, and a spec that is being brought is waited for
    spec = await work.spec(model)
    decision = admit(trigger, spec, history)
    metrics.TRIGGERS.labels(
        _label(trigger.kind), decision.reason if isinstance(decision, Skip) else _name(decision)
    ).inc()
    if isinstance(decision, Known):
        log.debug("%s has had its run for %s: %s", model, trigger.id, decision.run_id)
    elif isinstance(decision, Skip):
        await work.publish(_skipped(model, trigger, decision))
        if _comes_once(trigger, decision):
            await work.defer(model, trigger)
    elif spec is not None:
        await work.start(run_id(model, trigger), trigger, spec)


def run_id(model: str, trigger: Trigger) -> str:
    """Return the run's id: a function of its cause, so that one trigger can't have two."""
    cause = hashlib.sha256(f"{model} {trigger.id}".encode())
    return f"run-{cause.hexdigest()[:16]}"


async def reconsider(model: str, work: Work) -> None:
    """Decide anew about what came too early: for whoever has just ended the run in flight, or brought the spec."""
    trigger = await work.take_deferred(model)
    if trigger is not None:
        await consider(model, trigger, work)


def _comes_once(trigger: Trigger, skip: Skip) -> bool:
    """A finding that still stands is told again by the monitor. What nobody tells again must not be forgotten."""
    if skip.reason == SkipReason.NO_SPEC:  # topics have no order among each other: the spec may be on its way
        return trigger.kind in (TriggerKind.MANUAL, TriggerKind.SCHEDULE)
    return skip.reason == SkipReason.IN_FLIGHT and trigger.kind in (TriggerKind.DATA, TriggerKind.MANUAL)


def _skipped(model: str, trigger: Trigger, skip: Skip) -> TrainingSkipped:
    return TrainingSkipped(model=model, trigger=trigger, reason=skip.reason, detail=skip.detail, run_id=skip.run_id)


def _name(decision: Start | Known) -> str:
    return "started" if isinstance(decision, Start) else "known"


def _label(kind: str) -> str:
    """Return the kind as a metric's label; a word that is unknown here must not make a series of its own."""
    return kind if kind in list(TriggerKind) else "unknown"
