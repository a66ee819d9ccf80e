"""The live view: the content for a moment, and the parts that it leaves out."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from rondo.contracts.events.cloudevents import Envelope
from rondo.contracts.events.deployment import DeploymentChanged
from rondo.contracts.events.models import ModelPromoted
from rondo.contracts.events.monitoring import DriftDetected, WindowClosed
from rondo.contracts.topics import CONTROL_EVENTS
from rondo.flights.observers.outages import Incident
from rondo.flights.view.live import is_shown, line, render, timeline
from rondo.flights.view.snapshot import Snapshot
from rondo.flights.view.tables import drift

EXAMPLES = Path(__file__).resolve().parents[3] / "contracts" / "examples"
NOW = datetime(2026, 1, 1, 12, 0, 1, 250_000, tzinfo=UTC)


def example(event: type) -> Envelope[Any]:
    content = json.loads((EXAMPLES / f"{event.__name__}.v1.json").read_text())
    return Envelope("id", "test", NOW, event.model_validate(content))  # type: ignore[attr-defined]


@pytest.mark.parametrize("event", CONTROL_EVENTS, ids=lambda event: event.__name__)
def test_every_event_is_one_line_for_people(event: type) -> None:
    text = line(example(event)).plain
    assert text.startswith(f"12:00:01.25  {event.__name__}")
    assert "\n" not in text


MOMENT = Snapshot(
    event_time=datetime(2013, 12, 4, tzinfo=UTC),
    progress=0.9,
    sent=260_000,
    answered=259_000,
    behind=3.0,
    rate=3_700.0,
    lag=950,
    events=tuple(example(event) for event in CONTROL_EVENTS),
    deployed=example(DeploymentChanged).data,
    served=dict.fromkeys(range(1, 8), 37000),
    window=example(WindowClosed).data,
    with_loop=dict.fromkeys(range(3, 13), 0.748),
    without_loop=dict.fromkeys(range(3, 12), 0.707),
)


def shown(snapshot: Snapshot, columns: int, rows: int) -> list[str]:
    """Return the lines of a terminal of this size."""
    console = Console(width=columns, height=rows, force_terminal=True, color_system=None)
    with console.capture() as captured:
        console.print(render(snapshot))
    return captured.get().splitlines()


@pytest.mark.parametrize(("columns", "rows"), [(80, 24), (140, 44)])
def test_a_snapshot_shows_the_clock_the_versions_and_both_aucs_on_a_small_screen_too(columns: int, rows: int) -> None:
    lines = shown(MOMENT, columns, rows)
    assert len(lines) < rows, "the last line is for the current step"
    assert "Wed 04 Dec 2013   260,000 sent  259,000 answered  lag 950  3,700/s  3 s late" in lines[1]
    text = "\n".join(lines)
    for title in ("versions", "drift to 20 May", "AUC by month"):
        assert title in text
    assert "100%" in text
    assert "37,000" in text
    assert [line for line in lines if "Nov" in line and "0.748" in line and "0.707" in line]
    assert "Dec" in lines[-1]
    assert ("█" in text) == (columns > 80)


def test_a_tall_screen_shows_more_of_the_timeline() -> None:
    few, many = (sum("12:00:01.25" in line for line in shown(MOMENT, 100, rows)) for rows in (24, 60))
    assert few < many


def test_deaths_and_recoveries_are_in_the_timeline_in_order() -> None:
    envelopes = [example(DriftDetected), example(ModelPromoted), example(WindowClosed)]
    later = replace(example(ModelPromoted), id="later", time=NOW + timedelta(seconds=30))
    died = Incident("Died 0", NOW + timedelta(seconds=1), "Died", "Kafka died")
    healed = Incident("Recovered 1", NOW + timedelta(seconds=7), "Recovered", "after 6.0 s")
    found = timeline([*envelopes, later], [died, healed])
    assert [event.id for event in found] == ["id", "id", "Died 0", "Recovered 1", "later"]
    assert line(healed).plain == "12:00:08.25  Recovered           after 6.0 s"


def test_periodic_events_are_not_on_the_timeline() -> None:
    quiet = {event.__name__ for event in CONTROL_EVENTS if not is_shown(example(event).data)}
    assert {"WindowClosed", "OutcomesAccepted"} <= quiet
    assert not {"DriftDetected", "ModelPromoted", "TrainingStarted"} & quiet


def test_a_feature_whose_change_is_evident_is_yellow_and_the_largest_distance_fills_its_bar() -> None:
    table = drift(replace(MOMENT, changed=frozenset({"temp"})), bar=10)
    features, distances, bars = ([*column.cells] for column in table.columns)
    assert features[:2] == ["temp", "dewp"]
    assert [each.style for each in distances[:2]] == ["yellow", "green"]
    assert [len(each) for each in bars[:2]] == [10, 8]
