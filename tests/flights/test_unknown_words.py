"""The observers, the report and the live view handle every event of a newer release whose words they do not know."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console
from rondo.contracts.events.cloudevents import Envelope
from rondo.contracts.events.deployment import DeploymentChanged
from rondo.contracts.events.models import ModelPromoted
from rondo.contracts.events.monitoring import DriftDetected, WindowClosed
from rondo.contracts.events.training import ModelTrained, TrainingStarted
from rondo.contracts.topics import CONTROL_EVENTS
from rondo.flights.observers import event_listener
from rondo.flights.observers.history import History
from rondo.flights.report.trainings import trainings
from rondo.flights.view.live import line, render, timeline
from rondo.flights.view.snapshot import Snapshot

from tests.support.unknown_words import WORD, with_unknown_words

if TYPE_CHECKING:
    from rondo.contracts.events.base import Event

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def enveloped(event: type[Event], **changes: Any) -> Envelope[Any]:
    return Envelope("id", "test", NOW, with_unknown_words(event, **changes))


class Message:
    """A message of Kafka, as `confluent_kafka` returns it."""

    def __init__(self, envelope: Envelope[Any]) -> None:
        self._envelope = envelope

    def topic(self) -> str:
        topic: str = self._envelope.data.topic
        return topic

    def headers(self) -> list[tuple[str, bytes]]:
        return [(name, value.encode()) for name, value in self._envelope.headers().items()]

    def value(self) -> bytes:
        return self._envelope.value()


@pytest.mark.medium
@pytest.mark.parametrize("event", CONTROL_EVENTS, ids=lambda event: event.__name__)
def test_an_event_with_unknown_words_is_read_and_shown_as_one_line(event: type[Event]) -> None:
    message: Any = Message(enveloped(event))
    envelope = event_listener._decode(message)
    assert isinstance(envelope.data, event)
    assert timeline([envelope], []) in ((), (envelope,))
    text = line(envelope).plain
    assert event.__name__ in text
    assert "\n" not in text


@pytest.mark.medium
def test_the_view_is_drawn_from_unknown_words() -> None:
    events = tuple(enveloped(event) for event in CONTROL_EVENTS)
    snapshot = Snapshot(
        event_time=NOW,
        progress=0.5,
        sent=2,
        answered=1,
        behind=0.0,
        rate=1.0,
        events=events,
        deployed=with_unknown_words(DeploymentChanged),
        window=with_unknown_words(WindowClosed),
    )
    console = Console(width=100, height=40, force_terminal=True, color_system=None)
    with console.capture() as captured:
        console.print(render(snapshot))
    assert "versions" in captured.get()


@pytest.mark.medium
def test_the_report_has_redeployments_and_trainings_by_unknown_triggers() -> None:
    trigger = {"id": "f", "kind": WORD, "at": NOW.isoformat(), "detail": "temp"}
    times = {"started_at": NOW.isoformat(), "finished_at": (NOW + timedelta(seconds=3)).isoformat()}
    history = History([enveloped(event) for event in CONTROL_EVENTS])
    history.envelopes += [
        enveloped(DriftDetected, finding_id="f"),
        enveloped(TrainingStarted, run_id="run-9", trigger=trigger),
        enveloped(ModelTrained, run_id="run-9", trigger=trigger, **times),
        enveloped(ModelPromoted, trigger=trigger, model_version=7),
    ]
    redeployment = next(each for each in history.redeployments() if each.model_version == 7)
    assert (redeployment.kind, redeployment.trained_in) == (WORD, timedelta(seconds=3))
    training = next(each for each in trainings(history) if each.run_id == "run-9")
    assert training.kind == WORD
    assert history.deployed() is not None
