"""What people may look at over HTTP of trainings."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from rondo.contracts.events.base import Value
from rondo.registry.http.dependencies import ERRORS, Ask
from rondo.registry.http.schemas import NO_NUL
from rondo.registry.model.runs import Run

router = APIRouter(prefix="/v1", responses=ERRORS)


class Runs(Value):
    """Training runs, newest first."""

    runs: tuple[Run, ...]


@router.get("/runs", summary="Training runs")
async def runs(
    registry: Ask,
    model: Annotated[str | None, Query(pattern=NO_NUL)] = None,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
) -> Runs:
    """Return the latest runs, newest first."""
    return Runs(runs=tuple(await registry.archive.runs(model, limit)))
