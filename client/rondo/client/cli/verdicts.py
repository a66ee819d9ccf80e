"""What the monitor could not decide about the models, for `rondo models` and `rondo status`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rondo.client.errors import ForbiddenError, NotFoundError, UnavailableError, UnreachableError

if TYPE_CHECKING:
    from rondo.client.asynchronous import AsyncRondo


async def verdicts(rondo: AsyncRondo) -> dict[str, str | None] | None:
    """Return why the last window of each model has no verdict, as `AsyncRondo.verdicts`; None if it is unknown."""
    if rondo.connection.monitor is None:
        return None
    try:
        return await rondo.verdicts()
    except (UnreachableError, UnavailableError, ForbiddenError, NotFoundError):
        return None


def sentence(no_verdict: str | None) -> str | None:
    return None if no_verdict is None else f"no verdict: {no_verdict}"
