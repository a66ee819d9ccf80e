"""Requests, outcomes, features and batches as values: no network."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rondo.client import RefusedError, event_times, messages
from rondo.client.cli import arguments
from rondo.client.errors import UnknownTopicError
from rondo.client.event_summaries import summarize
from rondo.client.http import inference
from rondo.client.http.batch_files import batch_id_of
from rondo.client.kafka.event_stream import topics_of
from rondo.contracts.events.monitoring import AlertRaised
from rondo.contracts.events.predictions import OutcomeObserved, PredictionMade, PredictionRequested
from rondo.contracts.events.training import ModelTrained, TrainingRequested, Trigger
from rondo.contracts.topics import CONTROL_EVENTS

from tests.support.unknown_words import example_of

if TYPE_CHECKING:
    from pathlib import Path

DAY = datetime(2013, 3, 1, 12, tzinfo=UTC)
DATATYPES = {"carrier": "BYTES", "distance": "FP32", "stops": "INT64", "weekend": "BOOL"}
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=256)
VALUES = st.none() | st.booleans() | TEXTS | st.floats(allow_nan=False, allow_infinity=False) | st.integers(-9, 9)


@given(st.dictionaries(TEXTS, VALUES, max_size=4), st.none() | TEXTS)
def test_a_request_reads_back_as_it_was(sent: dict[str, Any], entity: str | None) -> None:
    asked = messages.request("late", sent, "a", entity, DAY)
    assert PredictionRequested.model_validate_json(messages.encode_request(asked)) == asked


def test_a_request_without_an_id_gets_one_of_its_own() -> None:
    assert messages.request("late", {}).id != messages.request("late", {}).id


@pytest.mark.parametrize("time", [DAY.replace(tzinfo=None), datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=9)))])
def test_an_event_time_that_can_not_be_placed_is_refused(time: datetime) -> None:
    for write in (
        lambda: messages.request("late", {}, "a", event_time=time),
        lambda: messages.outcome("late", 1, time, "a"),
        lambda: event_times.parse(time.isoformat()),
    ):
        with pytest.raises(event_times.BadEventTimeError) as caught:
            write()
        assert caught.value.code == "bad_event_time"
        assert caught.value.given in {time, time.isoformat()}


def test_nan_is_a_missing_value() -> None:
    sent = messages.encode_request(messages.request("late", {"temp": math.nan}, "a"))
    assert orjson.loads(sent)["features"] == {"temp": None}


@pytest.mark.parametrize("value", [math.inf, -math.inf, np.float32("inf"), float("1e400")])
def test_what_is_infinite_is_refused_and_not_made_a_missing_value(value: float) -> None:
    wanted = r"the request can't be sent:\n  temp is -?inf: send a finite number, or none where it is missing"
    with pytest.raises(RefusedError, match=wanted):
        messages.request("late", {"temp": value})
    directly = PredictionRequested(model="late", id="a", features={"temp": value})
    for write in (messages.encode_request, inference.body):
        with pytest.raises(RefusedError, match=wanted):
            write(directly)


def test_over_http_nan_is_missing_and_numbers_may_be_numpys() -> None:
    features = {"temp": math.nan, "dewp": np.float32("nan"), "distance": np.float32(1.5), "stops": np.int64(2)}
    sent = orjson.loads(inference.body(PredictionRequested(model="late", id="a", features=features)))
    assert {tensor["name"]: (tensor["datatype"], tensor["data"]) for tensor in sent["inputs"]} == {
        "distance": ("FP64", [1.5]),
        "stops": ("INT64", [2]),
    }


def test_a_value_that_json_does_not_know_is_refused() -> None:
    with pytest.raises(RefusedError) as caught:
        messages.encode_request(messages.request("late", {"temp": {1, 2}}))
    assert caught.value.code == "not_encodable"


def test_a_request_that_does_not_fit_is_refused_with_its_faults() -> None:
    with pytest.raises(RefusedError) as caught:
        messages.request("late", {}, "")
    assert caught.value.code == "bad_request"
    assert [problem.partition(":")[0] for problem in caught.value.problems] == ["id"]


def test_an_outcome_names_its_prediction() -> None:
    assert messages.outcome("late", 1, DAY, id="a").id == "a"
    with pytest.raises(RefusedError) as of_nothing:
        messages.outcome("late", 1, DAY)
    with pytest.raises(RefusedError) as of_nan:
        messages.outcome("late", math.nan, DAY, id="a")
    assert of_nothing.value.code == of_nan.value.code == "bad_outcome"
    assert of_nothing.value.problems == ()
    assert {problem.partition(".")[0].partition(":")[0] for problem in of_nan.value.problems} == {"outcome"}


@pytest.mark.parametrize("value", [None, b"", b"no json", b"[]", b'{"id": 7}', b"\xff"])
def test_a_dead_letter_may_hold_anything(value: bytes | None) -> None:
    assert messages.id_of(value) is None


def test_features_are_read_by_their_type() -> None:
    typed = ["carrier=9", "distance=740", "stops=2", "weekend=yes"]
    assert arguments.features(typed, DATATYPES) == {"carrier": "9", "distance": 740.0, "stops": 2, "weekend": True}
    assert arguments.features(["distance="], DATATYPES) == {"distance": None}
    assert arguments.features(["carrier=a=b"], DATATYPES) == {"carrier": "a=b"}


def test_every_feature_that_can_not_be_read_is_named() -> None:
    with pytest.raises(RefusedError) as raised:
        arguments.features(["distanc=1", "bogus=1", "carrier", "stops=2.5", "distance=far", "weekend=maybe"], DATATYPES)
    misspelt, bogus, bare, *values = raised.value.problems
    assert re.search("'distanc': .* distance", misspelt)
    assert re.search("'bogus': .* carrier, distance, stops, weekend", bogus)
    assert re.search("^'carrier' .* name=value", bare)
    assert [problem.partition(": ")[0] for problem in values] == [
        "stops is '2.5'", "distance is 'far'", "weekend is 'maybe'",
    ]  # fmt: skip


def test_the_same_file_is_the_same_batch(tmp_path: Path) -> None:
    one, other = tmp_path / "one.csv", tmp_path / "other.csv"
    one.write_bytes(b"a")
    other.write_bytes(b"a")
    assert batch_id_of(one) == batch_id_of(other) == "sha256-ca978112ca1bbdca"


def test_a_topic_is_named_by_itself_or_by_its_event() -> None:
    assert topics_of(["models.promoted", "ModelPromoted", "DriftDetected"]) == ["models.promoted", "drift.detected"]
    assert set(topics_of([])) == {event.topic for event in CONTROL_EVENTS} - {"access.tokens"}


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("models.promotd", "models.promoted"),
        ("predictions.log", "docs/events/topics.md"),
        ("zzz", "access.tokens, alerts.raised"),
    ],
)
def test_a_name_that_is_no_topic_gets_a_hint(name: str, hint: str) -> None:
    with pytest.raises(UnknownTopicError) as caught:
        topics_of([name])
    assert (caught.value.code, caught.value.name) == ("unknown_topic", name)
    assert hint in caught.value.hint


def test_events_of_the_data_plane_have_summaries() -> None:
    asked = messages.request("late", {}, "a", "flight 1")
    made = PredictionMade(
        model="late",
        id="a",
        model_version=3,
        digest=f"sha256:{'a' * 64}",
        output={"score": 0.5, "label": "late"},
        made_at=DAY,
    )
    assert re.search(r"\ba\b.* flight 1$", summarize(asked))
    assert re.search(r"\ba\b.* 3: label late, score 0\.5", summarize(made))
    assert re.search(r"\ba\b.* 1$", summarize(OutcomeObserved(model="late", id="a", outcome=1, event_time=DAY)))


def test_an_alert_is_shown_with_what_to_do() -> None:
    alert = AlertRaised(
        model="late", alert_id="a", kind="coverage", severity="critical", title="late: 100% are not monitored",
        detail="correct it", raised_at=DAY,
    )  # fmt: skip
    assert summarize(alert) == f"critical: {alert.title}: {alert.detail}"


def test_a_registration_is_shown_as_one() -> None:
    trigger = Trigger(
        id="registration/1", kind="registration", at=DAY, detail="new loss", artifact=f"sha256:{'a' * 64}"
    )
    asked = TrainingRequested(model="late", trigger=trigger, requested_by="ada")
    assert re.search("^registration .*ada: new loss$", summarize(asked))
    trained = ModelTrained.model_validate(example_of(ModelTrained) | {"trigger": trigger})
    assert "elsewhere, ROC AUC" in summarize(trained)


@pytest.mark.parametrize("days", [-365 * 140, 2, 400])
def test_an_outcome_that_ingestion_would_refuse_for_its_time_is_refused(days: int) -> None:
    with pytest.raises(RefusedError) as caught:
        messages.outcome("late", 1, datetime.now(UTC) + timedelta(days=days), "a")
    assert caught.value.code == "bad_event_time"
