"""Routes of rollouts: the active ones, that of a model, and the decisions of people about it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from fastapi import APIRouter

from rondo.chassis.http.api import Approver, Reader  # noqa: TC001 - FastAPI reads it at run time
from rondo.contracts.events.base import Value
from rondo.registry.commands import Requester
from rondo.registry.errors import NoRolloutError
from rondo.registry.http.dependencies import CONFLICT, Context, ModelName
from rondo.registry.http.schemas import Command
from rondo.registry.rollout import controller
from rondo.registry.rollout.rollout_view import RolloutSummary, RolloutView, rollout_summary, rollout_view

if TYPE_CHECKING:
    from rondo.registry.http.dependencies import ApiContext
    from rondo.registry.model.rollouts import Rollout

router = APIRouter(prefix="/v1", responses=CONFLICT)


class Rollouts(Value):
    """The active rollouts, by model."""

    rollouts: tuple[RolloutSummary, ...]


@router.get("/rollouts", summary="Active rollouts")
async def active(context: Context, _: Reader) -> Rollouts:
    """Return the active rollouts. A rollout whose state is `asking` needs a decision."""
    return Rollouts(rollouts=tuple(map(rollout_summary, await context.queries.rollouts())))


@router.get("/models/{model}/rollout", summary="The latest rollout")
async def latest(model: ModelName, context: Context, _: Reader) -> RolloutView:
    """Return the active rollout, or the last one that ended."""
    rollout = await context.queries.rollout(model)
    if rollout is None:
        raise NoRolloutError(model)
    return await _view(context, rollout)


@router.post("/models/{model}/rollout/{action}", summary="Pause, resume, promote or abort a rollout")
async def decide(
    model: ModelName,
    action: Literal["pause", "resume", "promote", "abort"],
    context: Context,
    principal: Approver,
    body: Command | None = None,
) -> RolloutView:
    """Decide about the active rollout.

    `pause` stops the steps. Evidence against the candidate still counts. `resume` continues with the step. `promote`
    makes the candidate the champion now, and `abort` goes back to the champion.
    """
    by = Requester(principal, (body or Command()).reason)
    async with context.store.work() as work:
        after = await controller.command(work, model, action, by.actor, datetime.now(UTC))
    return await _view(context, after)


async def _view(context: ApiContext, rollout: Rollout) -> RolloutView:
    return rollout_view(rollout, await context.queries.rollout_decisions(rollout.model))
