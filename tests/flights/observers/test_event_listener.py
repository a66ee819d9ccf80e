"""From events to the redeployments of a run."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from rondo.contracts.events.cloudevents import Envelope
from rondo.contracts.events.deployment import DeploymentChanged
from rondo.contracts.events.models import ModelPromoted, ModelRegistered, ModelRejected
from rondo.contracts.events.monitoring import DriftDetected, WindowClosed
from rondo.contracts.events.training import ModelTrained, TrainingFailed, TrainingSkipped, TrainingStarted
from rondo.contracts.kafka_connection import KafkaConnection
from rondo.flights.errors import UnreadableError
from rondo.flights.observers.event_listener import EventListener
from rondo.flights.observers.history import History
from rondo.flights.report.trainings import trainings

if TYPE_CHECKING:
    from rondo.contracts.events.base import Event

EXAMPLES = Path(__file__).resolve().parents[3] / "contracts" / "examples"
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def event_at(event: type[Event], seconds: float, **changes: Any) -> Envelope[Any]:
    content = json.loads((EXAMPLES / f"{event.__name__}.v1.json").read_text()) | changes
    return Envelope("id", "test", NOW + timedelta(seconds=seconds), event.model_validate(content))


def turn(finding: str, seconds: float, version: int, training: float) -> list[Envelope[Any]]:
    trigger = {"id": finding, "kind": "drift", "at": NOW.isoformat(), "detail": "temp"}
    began = NOW + timedelta(seconds=seconds)
    ended = (began + timedelta(seconds=training)).isoformat()
    return [
        event_at(DriftDetected, seconds, finding_id=finding),
        event_at(ModelTrained, seconds, trigger=trigger, started_at=began.isoformat(), finished_at=ended),
        event_at(ModelPromoted, seconds + training, trigger=trigger, model_version=version),
    ]


def test_a_redeployment_is_timed_with_and_without_its_training() -> None:
    history = History([*turn("first", 0, 2, training=3), *turn("second", 100, 3, training=8)])
    one, two = history.redeployments()
    assert (one.model_version, two.model_version) == (2, 3)
    first = NOW + timedelta(seconds=3.5)
    assert (one.total(first), one.without_training(first)) == (3.5, 0.5)
    assert two.without_training(NOW + timedelta(seconds=108.25)) == 0.25


def test_a_repeated_finding_is_one_redeployment_timed_from_the_first() -> None:
    history = History([*turn("same", 0, 2, training=3), event_at(DriftDetected, 50, finding_id="same")])
    [only] = history.redeployments()
    assert only.found_at == NOW


def test_a_promotion_by_hand_is_no_redeployment() -> None:
    by_hand = event_at(ModelPromoted, 1, trigger=None)
    assert History([event_at(DriftDetected, 0), by_hand]).redeployments() == []


def test_each_training_is_listed_once_with_its_end() -> None:
    gate = {"gate": "roc_auc.min", "passed": False, "observed": 0.5, "bound": 0.6, "message": "ROC AUC 0.5"}
    started = [event_at(TrainingStarted, n, run_id=run) for n, run in enumerate(("a", "b", "c", "d", "e", "f", "a"))]
    history = History([
        *started,
        event_at(ModelTrained, 10, run_id="a"), event_at(ModelRegistered, 11, run_id="a", model_version=2),
        event_at(ModelPromoted, 12, model_version=2),
        event_at(ModelTrained, 13, run_id="b"), event_at(ModelRegistered, 14, run_id="b", model_version=3),
        event_at(ModelRejected, 15, run_id="b", model_version=3, gates=[gate]),
        event_at(TrainingFailed, 16, run_id="c", reason="full"),
        event_at(ModelTrained, 17, run_id="d"),
        event_at(TrainingSkipped, 18, run_id="e", reason="in_flight"),
        event_at(TrainingSkipped, 19, run_id="f", reason="no_gain", detail="no gain"),
    ])  # fmt: skip
    assert {each.run_id: each.ended for each in trainings(history)} == {
        "a": "version 2 was promoted",
        "b": f"version 3 was rejected: {gate['message']}",
        "c": "failed: full",
        "d": "trained, not evaluated before the end",
        "e": "not finished before the end",
        "f": "no new model: no gain",
    }


@pytest.mark.medium
def test_a_listener_that_cannot_read_raises_and_ends_all_waits() -> None:
    listener = EventListener(KafkaConnection("127.0.0.1:1"), timeout=0.5)
    with pytest.raises(UnreadableError) as caught:
        listener.run()
    assert caught.value.code == "unreadable"
    assert "kafka.log" in str(caught.value)
    assert listener.wait_for(lambda _: False, timeout=60) is False


def test_a_training_runs_from_its_start_until_it_has_any_end() -> None:
    history = History([event_at(TrainingStarted, n, run_id=run) for n, run in enumerate(("a", "b", "c", "d"))])
    history.envelopes += [
        event_at(ModelTrained, 10, run_id="a"),
        event_at(TrainingFailed, 11, run_id="b", reason="full"),
        event_at(TrainingSkipped, 12, run_id="c"),
        event_at(TrainingSkipped, 13, run_id="d", reason="in_flight"),
    ]
    assert history.running() == {"d"}


def test_labels_of_a_window_cause_a_redeployment_timed_from_its_end() -> None:
    trigger = {"id": "labels/w1", "kind": "new_labels", "at": NOW.isoformat(), "detail": "900 outcomes"}
    began, ended = NOW.isoformat(), (NOW + timedelta(seconds=3)).isoformat()
    [only] = History(
        [
            event_at(WindowClosed, 0, finding_id="w1"),
            event_at(ModelTrained, 3, trigger=trigger, started_at=began, finished_at=ended),
            event_at(ModelPromoted, 3, trigger=trigger, model_version=2),
        ]
    ).redeployments()
    assert (only.kind, only.found_at, only.trained_in) == ("new_labels", NOW, timedelta(seconds=3))


def test_what_has_changed_is_what_the_newest_findings_about_the_champion_name() -> None:
    deployed = event_at(DeploymentChanged, 0)
    version = deployed.data.routes[0].model_version
    one = {"feature": "temp", "statistic": "level", "value": 1.0}
    both = [one, {"feature": "dewp", "statistic": "level", "value": 1.0}]
    found = [
        event_at(DriftDetected, 1, model_version=version, statistics=[one]),
        event_at(DriftDetected, 2, model_version=version, statistics=both),
        event_at(DriftDetected, 3, model_version=version + 1, statistics=[{**one, "feature": "wind"}]),
    ]
    assert History([deployed, *found]).changed() == {"temp", "dewp"}
    assert History(found).changed() == frozenset()
