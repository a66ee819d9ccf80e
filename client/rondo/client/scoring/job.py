"""Follows a scoring job of ingestion to its end."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from rondo.client.errors import NotFoundError, UnavailableError, UnreachableError
from rondo.contracts.vocabularies import ScoringState

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

POLL_SECONDS = 0.5
# The request reaches ingestion as an event, a moment after the registry has accepted it.
_ARRIVAL_SECONDS = 60.0


class Jobs(Protocol):
    async def scoring_job(self, job: str) -> dict[str, Any]: ...


async def followed(rondo: Jobs, job: str, at: datetime, pause: float) -> AsyncIterator[dict[str, Any]]:
    """Yield the state of a job, which was requested at the time `at`, until it has a time of its end.

    A state that this client does not know is not the end by itself.

    While ingestion is unavailable, the client asks again. A job that failed before continues when the request has
    arrived.

    Raises:
        NotFoundError: ingestion does not know the job a minute after it was requested.

    """
    deadline, known = asyncio.get_running_loop().time() + _ARRIVAL_SECONDS, False
    while True:
        try:
            state = await rondo.scoring_job(job)
        except NotFoundError:
            if known or asyncio.get_running_loop().time() > deadline:
                raise
        except (UnreachableError, UnavailableError):
            if not known:
                raise
        else:
            ended = state["ended_at"] is not None
            earlier = datetime.fromisoformat(state["requested_at"]) < at
            failed_before = ended and earlier and state["state"] != ScoringState.DONE
            if failed_before and asyncio.get_running_loop().time() <= deadline:
                await asyncio.sleep(pause)
                continue
            known = True
            yield state
            if ended:
                return
        await asyncio.sleep(pause)
