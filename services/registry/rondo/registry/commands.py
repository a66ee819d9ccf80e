"""What people ask the registry to do: apply a spec, promote, roll back, train. Load, decide, save."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import uuid4

from rondo.contracts.events.training import TrainingRequested, Trigger
from rondo.registry.audit.hash_chain import Statement
from rondo.registry.errors import RefusedSpecError, UnknownModelError
from rondo.registry.model import spec_review
from rondo.registry.model.model import Cause, Model
from rondo.registry.rollout import rollback, strategies
from rondo.registry.schedule import cron

if TYPE_CHECKING:
    from datetime import datetime

    from rondo.contracts.spec.model import ModelSpec
    from rondo.registry.ports import Work


@dataclass(frozen=True)
class Applied:
    """What applying a spec led to; `changed` is False when it was in force already."""

    revision: int
    changed: bool
    warnings: tuple[str, ...] = ()


async def apply_spec(work: Work, spec: ModelSpec, cause: Cause) -> Applied:
    """Bring a spec into force; the same spec once more changes nothing.

    Raises:
        RefusedSpecError: it asks for what is not executed, or would break what serves.

    """
    model = await work.find(spec.model)
    if model is not None and model.spec.digest == spec.digest:
        return Applied(model.spec_revision, changed=False)
    champion = model.champion if model else None
    review = spec_review.review(
        spec,
        model.spec if model else None,
        champion.number if champion else None,
        champion.route().features if champion else {},
    )
    if review.refusals:
        raise RefusedSpecError(spec.model, review.refusals)
    revision = model.spec_revision + 1 if model else 1
    await work.apply(spec, revision, cause)
    return Applied(revision, changed=True, warnings=review.warnings)


async def promote(work: Work, name: str, number: int, cause: Cause, expected: int | None, *, override: bool) -> Model:
    """Make a version the champion by hand, and return the model after it.

    Raises:
        RegistryError: it is unknown, did not pass, serves already, or the deployment is not at revision `expected`.

    """
    model = await _existing(work, name)
    model.expect(expected)
    version = model.version(number)
    candidate = await work.candidate(name, number)
    decision = strategies.promote_by_hand(model, version, candidate, cause, override=override)
    await work.save(decision)
    return decision.after


async def roll_back(work: Work, name: str, number: int | None, cause: Cause, expected: int | None) -> Model:
    """Go back to an earlier version, and return the model after it.

    Raises:
        RegistryError: there is none, it never served, or the deployment is not at revision `expected`.

    """
    model = await _existing(work, name)
    model.expect(expected)
    decision = rollback.roll_back(model, number, cause)
    await work.save(decision)
    return decision.after


async def train(work: Work, name: str, cause: Cause, at: datetime) -> Trigger:
    """Ask for a training now, with the data that was known at event time `at`.

    Raises:
        UnknownModelError: the model has no spec.

    """
    await _existing(work, name)
    trigger = Trigger(id=f"manual/{uuid4()}", kind="manual", at=at, detail=cause.reason)
    await _request(work, name, trigger, cause)
    return trigger


async def train_when_due(work: Work, name: str, now: datetime) -> tuple[Trigger, ...]:
    """Ask for the trainings that the schedules of a model want by `now`; each due time is asked for once."""
    model = await _existing(work, name)
    triggers: list[Trigger] = []
    for expression in cron.expressions(model.spec.retrain.on):
        at = cron.due(expression, await work.schedule_base(name, expression), now)
        if at is not None:
            await work.settle_schedule(name, expression, at)
            triggers.append(cron.trigger(name, expression, at))
            await _request(work, name, triggers[-1], Cause("schedule", f"cron: {expression}"))
    return tuple(triggers)


async def _request(work: Work, name: str, trigger: Trigger, cause: Cause) -> None:
    event = TrainingRequested(model=name, trigger=trigger, requested_by=cause.decided_by)
    await work.publish(event, trigger.id)
    evidence = {"trigger": trigger.model_dump(mode="json"), "reason": cause.reason}
    await work.state(name, cause, Statement("training_requested", evidence))


async def _existing(work: Work, name: str) -> Model:
    model = await work.find(name)
    if model is None:
        raise UnknownModelError(name, await work.names())
    return model
