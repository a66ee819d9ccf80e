"""Dead letters of requests and outcomes as values: no network."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
from rondo.client.kafka.failed_requests import OUTCOMES, REQUESTS, decode


class DeadLetter(NamedTuple):
    value: bytes
    headers: tuple[tuple[str, bytes], ...]
    timestamp: int = 1_362_139_200_000


WHY = "no model of this name"


def dead_letter(origin: str, value: bytes = b"{}") -> Any:
    return DeadLetter(value, (("__dlq.errors.topic", origin.encode()), ("__dlq.errors.message", WHY.encode())))


@pytest.mark.parametrize(("origin", "is_outcome"), [("outcomes.observed", True), ("batches.submitted", False)])
def test_the_refused_outcomes_are_those_that_came_from_their_topic(origin: str, *, is_outcome: bool) -> None:
    assert OUTCOMES.has(dead_letter(origin)) == is_outcome


def test_every_dead_letter_of_the_requests_is_one() -> None:
    assert REQUESTS.has(DeadLetter(b"{}", ()))


@pytest.mark.parametrize(
    ("value", "named"),
    [
        (b'{"model": "late", "entity": "e", "outcome": 1}', (None, "e", "late")),
        (b'{"model": "late", "id": "a", "outcome": 1}', ("a", None, "late")),
        (b"\xff", (None, None, None)),
    ],
)
def test_a_refused_outcome_has_its_reason(value: bytes, named: tuple[str | None, str | None, str | None]) -> None:
    found = decode(dead_letter("outcomes.observed", value))
    assert (found.id, found.entity, found.model) == named
    assert found.message == WHY
