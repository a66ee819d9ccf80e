"""All that may start a training ends here: admit it and save the run, or publish why there is none."""

from __future__ import annotations

import hashlib
import logging
from typing import TYPE_CHECKING

from rondo.contracts.training import TrainingSkipped
from rondo.trainer import metrics
from rondo.trainer.admission import Known, Skip, Start, admit

if TYPE_CHECKING:
    from rondo.contracts.training import Trigger
    from rondo.trainer.ports import Work

log = logging.getLogger(__name__)


async def consider(model: str, trigger: Trigger, work: Work) -> None:
    """Decide about one trigger; save the run and wake a worker, or publish why there is none."""
    spec = await work.spec(model)
    decision = admit(trigger, spec, await work.history(model))
    metrics.TRIGGERS.labels(trigger.kind, decision.reason if isinstance(decision, Skip) else _name(decision)).inc()
    if isinstance(decision, Known):
        log.debug("%s has had its run for %s: %s", model, trigger.id, decision.run_id)
    elif isinstance(decision, Skip):
        await work.publish(_skipped(model, trigger, decision))
        # A finding that still stands is told again by the monitor; a batch comes once, and must not be forgotten.
        if decision.reason == "in_flight" and trigger.kind == "data":
            await work.defer(model, trigger)
    elif spec is not None:
        await work.start(run_id(model, trigger), trigger, spec)


def run_id(model: str, trigger: Trigger) -> str:
    """Return the run's id: a function of its cause, so that one trigger can't have two."""
    cause = hashlib.sha256(f"{model} {trigger.id}".encode())
    return f"run-{cause.hexdigest()[:16]}"


async def reconsider(model: str, work: Work) -> None:
    """Decide anew about the data that came while a run was in flight: for whoever has just ended that run."""
    trigger = await work.take_deferred(model)
    if trigger is not None:
        await consider(model, trigger, work)


def _skipped(model: str, trigger: Trigger, skip: Skip) -> TrainingSkipped:
    return TrainingSkipped(model=model, trigger=trigger, reason=skip.reason, detail=skip.detail, run_id=skip.run_id)


def _name(decision: Start | Known) -> str:
    return "started" if isinstance(decision, Start) else "known"
