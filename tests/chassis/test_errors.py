"""Backoff and dead-letter headers."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.exceptions import PanicException
from rondo.chassis.errors import (
    MAX_HEADER_TEXT,
    Backoff,
    Origin,
    PanicError,
    dead_letter_headers,
    panics_as_errors,
)


@given(st.integers(1, 10_000), st.integers(0, 2**32))
def test_a_delay_grows_to_its_cap_and_never_beyond(attempt: int, seed: int) -> None:
    backoff = Backoff(first=0.1, cap=5.0)
    bound = min(5.0, 0.1 * 2 ** min(attempt - 1, 30))
    assert bound / 2 <= backoff.delay(attempt, random.Random(seed)) <= bound


def test_the_headers_of_a_dead_letter_are_bounded() -> None:
    at = datetime(2013, 6, 1, tzinfo=UTC)
    headers = dead_letter_headers(Origin("t", 2, 40, "g"), ValueError("x" * 5_000), 3, at)
    assert headers == {
        "__dlq.errors.topic": "t",
        "__dlq.errors.partition": "2",
        "__dlq.errors.offset": "40",
        "__dlq.errors.group": "g",
        "__dlq.errors.delivery.count": "3",
        "__dlq.errors.exception": "ValueError",
        "__dlq.errors.message": "x" * MAX_HEADER_TEXT,
        "__dlq.errors.first.failed": "2013-06-01T00:00:00+00:00",
    }


def test_a_panic_of_a_library_in_rust_is_an_error() -> None:
    assert not issubclass(PanicException, Exception), "else this is not needed any more"
    with pytest.raises(PanicError) as caught, panics_as_errors():
        raise PanicException("not implemented: time zone +05:30")
    assert caught.value.kind == "PanicException"


@pytest.mark.parametrize("end", [asyncio.CancelledError, KeyboardInterrupt, SystemExit, GeneratorExit, ValueError])
def test_the_end_of_the_process_and_plain_errors_pass(end: type[BaseException]) -> None:
    with pytest.raises(end), panics_as_errors():
        raise end
