"""Handles a trigger: admits it and queues a run, or publishes why no run starts."""

from __future__ import annotations

import hashlib
import logging
from typing import TYPE_CHECKING

from rondo.contracts.events.training import TrainingSkipped
from rondo.contracts.vocabularies import SkipReason, TriggerKind
from rondo.trainer import metrics
from rondo.trainer.triggers.admission import HARM, AlreadyHandled, Skip, Start, admit, counted, outdated, with_growth

if TYPE_CHECKING:
    from rondo.contracts.events.training import Trigger
    from rondo.contracts.spec.model import ModelSpec
    from rondo.trainer.ports import UnitOfWork

log = logging.getLogger(__name__)
# Reasons that stop applying without an action.
_PASSING = (SkipReason.IN_FLIGHT, SkipReason.NOT_ENOUGH_DATA, SkipReason.COOLDOWN, SkipReason.BUDGET)


async def handle_trigger(model: str, trigger: Trigger, work: UnitOfWork, *, repeated: bool = False) -> None:
    """Queue a run for a trigger, or publish `TrainingSkipped` with the reason.

    `repeated` is True for a trigger whose source repeats it continually. Its skip is published only if its reason or
    its version differs from the last skip of its kind, or if a run was queued since. The metric counts each skip.
    """
    # The lock comes before the first read, so that the spec and the runs of a concurrent handler are visible below.
    await work.lock_model(model)
    spec = await work.spec(model)
    history = await work.history(model)
    trigger = counted(trigger, spec, history)
    decision = admit(trigger, spec, history)
    metrics.TRIGGERS.labels(
        _label(trigger.kind), decision.reason if isinstance(decision, Skip) else _name(decision)
    ).inc()
    if isinstance(decision, AlreadyHandled):
        log.debug("the trigger %s of %s has its run already: %s", trigger.id, model, decision.run_id)
    elif isinstance(decision, Skip):
        if not repeated or await _is_new(model, trigger, decision, work):
            await work.publish(_skipped(model, trigger, decision))
        if _is_kept(trigger, decision, spec, repeated=repeated):
            await work.defer(model, trigger)
    elif spec is not None:
        await work.enqueue(run_id(model, trigger), with_growth(trigger, spec, history.labels), spec)


async def _is_new(model: str, trigger: Trigger, skip: Skip, work: UnitOfWork) -> bool:
    """Return whether a skip differs from the last one of its kind, and save it."""
    reason = skip.reason if trigger.model_version is None else f"{skip.reason} {trigger.model_version}"
    if await work.last_skip(model, trigger.kind) == reason:
        return False
    await work.save_skip(model, trigger.kind, reason)
    return True


async def handle_new_labels(model: str, trigger: Trigger, work: UnitOfWork, *, quiet: bool) -> None:
    """Handle a deferred drop of the performance if the labels suffice for it now, else the trigger itself.

    `quiet` is True for labels of closed windows, which are frequent: the trigger is handled as a repeated one.
    """
    await work.lock_model(model)
    spec = await work.spec(model)
    if spec is None or not spec.retrain.is_automatic:
        return None
    history = await work.history(model)
    harm = await work.pop_harm(model)
    if harm is not None and (skip := outdated(harm, history)):
        await work.publish(_skipped(model, harm, skip))
    elif harm is not None:
        if isinstance(admit(harm, spec, history), Start):
            return await handle_trigger(model, harm, work)
        await work.defer(model, harm)
    return await handle_trigger(model, trigger, work, repeated=quiet)


async def handle_deferred_triggers(model: str, work: UnitOfWork) -> None:
    """Handle the deferred triggers after a run ended or a spec arrived."""
    await work.lock_model(model)
    for trigger in await work.pop_deferred(model):
        skip = outdated(trigger, await work.history(model)) if trigger.kind in HARM else None
        if skip is not None:
            await work.publish(_skipped(model, trigger, skip))
        else:
            await handle_trigger(model, trigger, work)


def run_id(model: str, trigger: Trigger) -> str:
    """Return the id of the trigger's run. It is a function of the trigger, so that one trigger has one run at most."""
    cause = hashlib.sha256(f"{model} {trigger.id}".encode())
    return f"run-{cause.hexdigest()[:16]}"


def _is_kept(trigger: Trigger, skip: Skip, spec: ModelSpec | None, *, repeated: bool) -> bool:
    """Return whether a skipped trigger is deferred.

    A trigger that is sent only once is deferred. A finding is not, because the monitor repeats it while it lasts. A
    drop of the performance waits for labels, for the end of a cooldown, or for a budget.
    """
    if skip.reason == SkipReason.NO_SPEC:  # topics have no order between them: the spec may arrive later
        return trigger.kind in (TriggerKind.MANUAL, TriggerKind.SCHEDULE, TriggerKind.REGISTRATION)
    if trigger.kind in HARM and spec is not None and spec.retrain.is_automatic:
        return skip.reason in _PASSING
    sent_once = (TriggerKind.DATA, TriggerKind.NEW_LABELS, TriggerKind.MANUAL)
    return skip.reason == SkipReason.IN_FLIGHT and trigger.kind in sent_once and not repeated


def _skipped(model: str, trigger: Trigger, skip: Skip) -> TrainingSkipped:
    return TrainingSkipped(model=model, trigger=trigger, reason=skip.reason, detail=skip.detail, run_id=skip.run_id)


def _name(decision: Start | AlreadyHandled) -> str:
    return "started" if isinstance(decision, Start) else "known"


def _label(kind: str) -> str:
    """Return the kind as a label of the metric. An unknown kind must not create a new series."""
    return kind if kind in list(TriggerKind) else "unknown"
