"""From what was said to the turns of the loop."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rondo.contracts.cloudevents import Envelope
from rondo.contracts.models import ModelPromoted
from rondo.contracts.monitoring import DriftDetected
from rondo.contracts.training import ModelTrained
from rondo.flights.timeline import History

if TYPE_CHECKING:
    from rondo.contracts.event import Event

EXAMPLES = Path(__file__).resolve().parents[2] / "contracts" / "examples"
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def said(event: type[Event], seconds: float, **changes: Any) -> Envelope[Any]:
    content = json.loads((EXAMPLES / f"{event.__name__}.v1.json").read_text()) | changes
    return Envelope("id", "test", NOW + timedelta(seconds=seconds), event.model_validate(content))


def turn(finding: str, seconds: float, version: int, training: float) -> list[Envelope[Any]]:
    trigger = {"id": finding, "kind": "drift", "at": NOW.isoformat(), "detail": "temp"}
    began = NOW + timedelta(seconds=seconds)
    ended = (began + timedelta(seconds=training)).isoformat()
    return [
        said(DriftDetected, seconds, finding_id=finding),
        said(ModelTrained, seconds, trigger=trigger, started_at=began.isoformat(), finished_at=ended),
        said(ModelPromoted, seconds + training, trigger=trigger, model_version=version),
    ]


def test_a_turn_is_timed_with_and_without_its_own_training_even_where_the_bytes_are_the_same() -> None:
    history = History([*turn("first", 0, 2, training=3), *turn("second", 100, 3, training=8)])
    one, two = history.redeployments()
    assert (one.model_version, two.model_version) == (2, 3)
    first = NOW + timedelta(seconds=3.5)
    assert (one.total(first), one.without_training(first)) == (3.5, 0.5)
    assert two.without_training(NOW + timedelta(seconds=108.25)) == 0.25


def test_a_finding_told_twice_is_one_turn_timed_from_the_first_telling() -> None:
    history = History([*turn("same", 0, 2, training=3), said(DriftDetected, 50, finding_id="same")])
    [only] = history.redeployments()
    assert only.found_at == NOW


def test_a_promotion_by_hand_is_no_turn_of_the_loop() -> None:
    by_hand = said(ModelPromoted, 1, trigger=None)
    assert History([said(DriftDetected, 0), by_hand]).redeployments() == []
