"""Retries an operation without limit while a dependency is unavailable."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from rondo.chassis.errors import Backoff, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

log = logging.getLogger(__name__)
T = TypeVar("T")


def _keep_trying(_: Exception) -> None: ...


@dataclass
class Retry:
    """Waits with backoff between the attempts, and logs each failure with its number.

    `what` names the operation in the log. `unavailable` are the temporary errors, which are retried. Every other error
    ends the retries at once. `on_failure` is called with each temporary error before the wait, and may raise to end the
    retries.
    """

    what: str
    unavailable: tuple[type[Exception], ...] = (UnavailableError,)
    backoff: Backoff = field(default_factory=Backoff)
    on_failure: Callable[[Exception], None] = _keep_trying
    extra: Mapping[str, object] = field(default_factory=dict)
    attempt: int = 0

    async def call(self, operation: Callable[[], Awaitable[T]]) -> T:
        """Return the result of the first attempt that succeeds."""
        while True:
            try:
                result = await operation()
            except self.unavailable as error:
                self.attempt += 1
                self.on_failure(error)
                log.warning(
                    "%s: unavailable, trying again: %s", self.what, str(error) or type(error).__name__,
                    extra={"attempt": self.attempt, **self.extra},
                )  # fmt: skip
                await asyncio.sleep(self.backoff.delay(self.attempt))
            else:
                self.progressed()
                return result

    def progressed(self) -> None:
        """Count the attempts from 1 again. An operation that does not return during success calls this."""
        self.attempt = 0
