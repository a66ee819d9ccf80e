"""The counts of topics during kills find lost, duplicate and unordered messages, and contradictions to the evidence."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import orjson
import pytest
from rondo.contracts.events.monitoring import PairedBlock, RolloutEvidence
from rondo.contracts.events.predictions import PredictionMade, PredictionRequested

from tests.e2e.rollouts.kills import Counted, Rolled, contradictions

BEGAN, MINUTE = datetime(2026, 1, 1, tzinfo=UTC), timedelta(minutes=1)
BAD = Rolled(2, True, "rolled_back", "worse", 3, 30, 3, 0.01, 60.0)  # noqa: FBT003 - whether it is bad


def asked(found: Counted, *numbers: int) -> None:
    for number in numbers:
        found.add(PredictionRequested.topic, b"k", orjson.dumps({"id": f"q{number}"}), b"")


def answered(found: Counted, *numbers: int, version: int = 2) -> None:
    for number in numbers:
        found.add(PredictionMade.topic, b"k", orjson.dumps({"id": f"q{number}", "model_version": version}), b"")


def evidence(found: Counted, minute: int, difference: float, event_id: bytes) -> None:
    start = BEGAN + minute * MINUTE
    event = RolloutEvidence(
        model="tips", primary=1, other=2, complete_until=start + MINUTE,
        blocks=(PairedBlock(start=start, rows=10, difference=difference),),
    )  # fmt: skip
    found.add(event.topic, b"tips", event.model_dump_json().encode(), event_id)


def test_what_is_lost_doubled_and_out_of_order_is_counted() -> None:
    found = Counted()
    asked(found, 1, 2, 3, 4)
    answered(found, 1, 3, 2, 3)
    assert (found.lost, found.doubled, found.out_of_order) == (1, 1, 1)


@pytest.mark.parametrize(
    ("shown", "problems"),
    [
        (BAD, 0),
        (replace(BAD, state="watching", verdict="not_worse"), 2),
        (replace(BAD, outcomes=40, blocks=4), 1),
        (replace(BAD, answers=4), 1),
        (replace(BAD, is_bad=False), 1),
    ],
)
def test_a_rollout_that_is_not_as_its_evidence_says_is_named(shown: Rolled, problems: int) -> None:
    found = Counted()
    answered(found, 1, 2, 3)
    for minute in (0, 1, 2):
        # The monitor publishes the same event again after a restart.
        for _ in range(2):
            evidence(found, minute, 0.2, f"e{minute}".encode())
    assert len(contradictions(shown, found)) == problems
