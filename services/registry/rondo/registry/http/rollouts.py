"""Routes of rollouts: the present one, and what people decide about it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

from fastapi import APIRouter

from rondo.chassis.http.api import Approver, Reader  # noqa: TC001 - FastAPI reads it at run time
from rondo.registry.commands import Requester
from rondo.registry.errors import NoRolloutError
from rondo.registry.http.dependencies import CONFLICT, Context, ModelName
from rondo.registry.http.schemas import Command
from rondo.registry.rollout import controller
from rondo.registry.rollout.rollout_view import RolloutView, rollout_view

router = APIRouter(prefix="/v1/models/{model}/rollout", responses=CONFLICT)


@router.get("", summary="The latest rollout")
async def latest(model: ModelName, context: Context, _: Reader) -> RolloutView:
    """Return the rollout that goes on, or the last one that ended."""
    rollout = await context.queries.rollout(model)
    if rollout is None:
        raise NoRolloutError(model)
    return rollout_view(rollout)


@router.post("/{action}", summary="Pause, resume, promote or abort a rollout")
async def decide(
    model: ModelName,
    action: Literal["pause", "resume", "promote", "abort"],
    context: Context,
    principal: Approver,
    body: Command | None = None,
) -> RolloutView:
    """Decide about the rollout that goes on.

    `pause` stops the steps, and what speaks against the candidate still counts; `resume` goes on with the step.
    `promote` makes the candidate the champion now, and `abort` goes back to the champion.
    """
    by = Requester(principal, (body or Command()).reason)
    async with context.store.work() as work:
        after = await controller.command(work, model, action, by.actor, datetime.now(UTC))
    return rollout_view(after)
