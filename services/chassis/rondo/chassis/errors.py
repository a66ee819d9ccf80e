"""Kinds of failures, and the headers of a dead letter.

There are three kinds: a dependency is unavailable (retry without limit), the message is invalid (dead letter at once),
or any other error (some retries, then dead letter). Header names follow KIP-1191.
"""

from __future__ import annotations

import asyncio
import random
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

MAX_HEADER_TEXT = 1_000


class UnavailableError(Exception):
    """A dependency is unavailable. Retry without limit. Never dead-letter."""

    def __init__(self, what: str, why: str) -> None:
        self.what, self.why = what, why
        super().__init__(f"{what} is not available ({why}); this will be tried again until it is")


class PermanentError(Exception):
    """This message can never be handled: dead-letter it without a retry."""


class AlreadyHandledError(Exception):
    """The inbox has this event, so it was handled before."""


class StartRefusedError(Exception):
    """The service can't start with its configuration, and exits with 2. The message says what to change."""


class PanicError(Exception):
    """A library failed on a message with an exception that is no subclass of `Exception`."""

    def __init__(self, error: BaseException) -> None:
        self.kind = type(error).__name__
        super().__init__(f"{self.kind}: {error}")


@contextmanager
def panics_as_errors() -> Iterator[None]:
    """Convert panics of Rust libraries, such as polars, to errors.

    PyO3 derives its PanicException from BaseException, so `except Exception` does not catch it, and callers handle it
    like the end of the process. Cancellation and the end of the process are raised unchanged.

    Raises:
        PanicError: the body raised a PanicException, or another exception that is no subclass of `Exception`.

    """
    try:
        yield
    except (Exception, asyncio.CancelledError, GeneratorExit, KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:
        raise PanicError(error) from error


@dataclass(frozen=True)
class Backoff:
    """Bounded exponential backoff with full jitter (Brooker, "Exponential Backoff and Jitter", AWS 2015)."""

    first: float = 0.1
    cap: float = 5.0
    attempts: int = 5

    def delay(self, attempt: int, rng: random.Random | None = None) -> float:
        """Return the seconds to wait after failed attempt number `attempt`, from 1."""
        bound = min(self.cap, self.first * 2 ** min(attempt - 1, 30))
        return (rng or random).uniform(bound / 2, bound)


@dataclass(frozen=True)
class Origin:
    """The origin of a failed message."""

    topic: str
    partition: int
    offset: int
    group: str


def dead_letter_headers(origin: Origin, error: BaseException, attempts: int, first_failed: datetime) -> dict[str, str]:
    """Return the headers that a dead letter adds to its original, without a stack trace, settings or secrets."""
    return {
        "__dlq.errors.topic": origin.topic,
        "__dlq.errors.partition": str(origin.partition),
        "__dlq.errors.offset": str(origin.offset),
        "__dlq.errors.group": origin.group,
        "__dlq.errors.delivery.count": str(attempts),
        "__dlq.errors.exception": type(error).__name__,
        "__dlq.errors.message": str(error)[:MAX_HEADER_TEXT],
        "__dlq.errors.first.failed": first_failed.isoformat(),
    }
