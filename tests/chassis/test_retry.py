from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest
from rondo.chassis.errors import Backoff, UnavailableError
from rondo.chassis.retry import Retry

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

QUICK = Backoff(first=0.0001, cap=0.0001)


def failing(*errors: Exception) -> Callable[[], Awaitable[str]]:
    left = list(errors)

    async def operation() -> str:
        if left:
            raise left.pop(0)
        return "done"

    return operation


async def test_it_tries_until_the_dependency_answers_and_logs_each_attempt(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    retry = Retry("the outbox", (OSError,), QUICK, extra={"event_id": "e"})
    assert await retry.call(failing(OSError("one"), TimeoutError())) == "done"
    assert [(r.__dict__["attempt"], r.__dict__["event_id"]) for r in caplog.records] == [(1, "e"), (2, "e")]
    assert ["one" in caplog.messages[0], "TimeoutError" in caplog.messages[1]] == [True, True]


async def test_an_error_of_another_kind_ends_it_at_once() -> None:
    with pytest.raises(ZeroDivisionError):
        await Retry("it", (UnavailableError,), QUICK).call(failing(UnavailableError("a", "b"), ZeroDivisionError()))


async def test_the_caller_can_end_it() -> None:
    seen: list[Exception] = []

    def give_up(error: Exception) -> None:
        seen.append(error)
        if len(seen) == 2:
            raise error

    with pytest.raises(OSError, match="second"):
        await Retry("it", (OSError,), QUICK, give_up).call(failing(OSError("first"), OSError("second")))


async def test_progress_resets_the_backoff() -> None:
    retry, attempts = Retry("it", (OSError,), QUICK), list[int]()

    async def operation() -> None:
        attempts.append(retry.attempt)
        if len(attempts) == 2:
            retry.progressed()
        if len(attempts) < 4:
            raise OSError

    await retry.call(operation)
    assert attempts == [0, 1, 1, 2]
    assert retry.attempt == 0
