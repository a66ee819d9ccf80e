"""The live view: what it shows of a moment, and what it leaves out."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from rondo.contracts.cloudevents import Envelope
from rondo.contracts.models import ModelPromoted
from rondo.contracts.topics import CONTROL_EVENTS
from rondo.flights.view import Snapshot, is_news, line, render

EXAMPLES = Path(__file__).resolve().parents[2] / "contracts" / "examples"
NOW = datetime(2026, 1, 1, 12, 0, 1, 250_000, tzinfo=UTC)


def example(event: type) -> Envelope[Any]:
    content = json.loads((EXAMPLES / f"{event.__name__}.v1.json").read_text())
    return Envelope("id", "test", NOW, event.model_validate(content))  # type: ignore[attr-defined]


@pytest.mark.parametrize("event", CONTROL_EVENTS, ids=lambda event: event.__name__)
def test_every_event_is_one_line_for_people(event: type) -> None:
    text = line(example(event)).plain
    assert text.startswith(f"12:00:01.25  {event.__name__}")
    assert "\n" not in text


def test_a_moment_shows_the_clock_the_versions_and_both_aucs() -> None:
    snapshot = Snapshot(
        event_time=datetime(2013, 7, 4, tzinfo=UTC),
        progress=0.4,
        sent=120_000,
        answered=119_000,
        behind=3.0,
        rate=3_700.0,
        lag=950,
        events=(example(ModelPromoted),),
        served={1: 80_000, 2: 39_000},
        auc_with_loop={5: 0.748},
        auc_without_loop={5: 0.707},
    )
    console = Console(width=140, record=True, file=None, force_terminal=False)
    with console.capture() as captured:
        console.print(render(snapshot))
    text = captured.get()
    for expected in (
        "Thu 04 Jul 2013",
        "120,000 sent",
        "lag 950",
        "3,700/s",
        "runs 3 s late",
        "39,000",
        "0.748",
        "0.707",
    ):
        assert expected in text


def test_what_is_said_every_second_is_no_news() -> None:
    quiet = {event.__name__ for event in CONTROL_EVENTS if not is_news(example(event).data)}
    assert {"WindowClosed", "OutcomesAccepted"} <= quiet
    assert not {"DriftDetected", "ModelPromoted", "TrainingStarted"} & quiet
