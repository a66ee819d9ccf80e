"""Events are values: frozen, UTC, and the same after a round trip, NaN included."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from rondo.contracts.events.models import ModelPromoted, ModelRetired
from rondo.contracts.events.monitoring import Window
from rondo.contracts.events.predictions import OutcomeObserved, PredictionMade
from rondo.contracts.training_evidence import Evaluation

DIGEST = "sha256:" + "0" * 64


@given(
    st.dictionaries(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=5), st.floats(), max_size=4)
)
def test_every_metric_reads_back_as_the_same_float(metrics: dict[str, float]) -> None:
    again = Evaluation.model_validate_json(Evaluation(metrics=metrics).model_dump_json())
    assert all(type(value) is float for value in again.metrics.values())
    assert {k: repr(v) for k, v in again.metrics.items()} == {k: repr(v) for k, v in metrics.items()}


def test_what_is_not_finite_is_still_json() -> None:
    text = Evaluation(metrics={"a": math.nan, "b": math.inf, "c": -math.inf}).model_dump_json()
    assert text == '{"metrics":{"a":"NaN","b":"Infinity","c":"-Infinity"},"slices":[]}'


@pytest.mark.parametrize("text", ["NaN", "1e999"])
def test_an_outcome_is_finite(text: str) -> None:
    with pytest.raises(ValidationError) as caught:
        OutcomeObserved.model_validate_json(
            f'{{"model":"m","id":"1","outcome":{text},"event_time":"2013-03-01T00:00:00Z"}}'
        )
    assert "finite_number" in {fault["type"] for fault in caught.value.errors()}


@pytest.mark.parametrize("text", ["NaN", "1e999", '{"a":NaN}', '{"a":"NaN"}'])
def test_a_score_and_a_probability_are_finite(text: str) -> None:
    with pytest.raises(ValidationError) as caught:
        PredictionMade.model_validate_json(
            f'{{"model":"m","id":"1","model_version":1,"digest":"{DIGEST}","output":{{"score":{text}}},'
            '"made_at":"2013-03-01T00:00:00Z"}'
        )
    assert "finite_number" in {fault["type"] for fault in caught.value.errors()}


def test_an_output_reads_back_with_its_types() -> None:
    output = {"score": 1.0, "label": 1, "text": "1", "probabilities": {"1": 0.25, "label": 0.75}}
    made = PredictionMade.model_validate(
        {
            "model": "m",
            "id": "1",
            "model_version": 1,
            "digest": DIGEST,
            "output": output,
            "made_at": "2013-03-01T00:00Z",
        }
    )
    for again in (made.output, PredictionMade.model_validate_json(made.model_dump_json()).output):
        assert (again, [type(value) for value in again.values()]) == (output, [float, int, str, dict])


def test_two_values_never_share_a_default_list() -> None:
    one, two = (Evaluation(metrics=given) for given in ({}, {}))
    one.metrics["changed"] = 1.0
    assert two.metrics == {}


def test_a_time_is_utc_whatever_offset_it_came_with() -> None:
    start = datetime(2013, 3, 1, 5, 15, tzinfo=timezone(timedelta(hours=-5)))
    window = Window(start=start, end=start, rows=0)
    assert (window.start, window.start.tzinfo) == (datetime(2013, 3, 1, 10, 15, tzinfo=UTC), UTC)


def test_a_time_without_an_offset_is_refused() -> None:
    with pytest.raises(ValidationError) as caught:
        Window.model_validate({"start": "2013-03-01T00:00:00", "end": "2013-03-01T00:00:00Z", "rows": 0})
    assert [fault["type"] for fault in caught.value.errors()] == ["timezone_aware"]


def test_an_event_is_frozen_and_keyed_by_its_model() -> None:
    event = ModelRetired(model="flight-delay", model_version=1, digest=DIGEST)
    assert (event.key, event.event_type()) == ("flight-delay", "rondo.ModelRetired.v1")
    with pytest.raises(ValidationError) as caught:
        event.model_version = 2
    assert [fault["type"] for fault in caught.value.errors()] == ["frozen_instance"]


def test_values_without_a_mapping_are_hashable_and_the_others_raise() -> None:
    assert len({ModelRetired(model="m", model_version=1, digest=DIGEST) for _ in range(2)}) == 1
    promoted = ModelPromoted(model="m", model_version=1, digest=DIGEST, previous_version=None, decided_by="ada")
    with pytest.raises(TypeError, match="unhashable"):
        hash(promoted)


@pytest.mark.parametrize(
    "digest", ["0" * 64, "sha256:" + "0" * 63, "sha256:" + "G" * 64, "sha256:../../etc/passwd", DIGEST + "\n"]
)
def test_a_digest_is_a_digest(digest: str) -> None:
    with pytest.raises(ValidationError) as caught:
        ModelRetired(model="m", model_version=1, digest=digest)
    assert [fault["type"] for fault in caught.value.errors()] == ["string_pattern_mismatch"]
