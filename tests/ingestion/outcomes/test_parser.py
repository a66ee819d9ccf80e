"""Parsing a micro-batch of outcomes."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from confluent_kafka import Message
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import REGISTRY
from rondo.contracts.events import logs
from rondo.contracts.tasks.binary import BinaryLabels
from rondo.contracts.tasks.registry import TASKS, UnknownTaskError
from rondo.ingestion.outcomes.parser import parse_outcomes
from rondo.ingestion.outcomes.stream import OutcomeTransform
from rondo.ingestion.spec_cache import SpecCache

from tests.ingestion.builders import NOW, outcome, spec

MODELS = dict.fromkeys(("tips", "fares"), BinaryLabels())


def test_outcomes_become_one_batch_a_model() -> None:
    found = parse_outcomes([outcome(0), outcome(1, model="fares", id=None, entity="r1"), outcome(2)], MODELS, NOW)
    assert found.invalid == []
    batch = logs.decode(logs.encode(found.valid["tips"].batch("tips")))
    assert logs.metadata(batch) == {"model": "tips"}
    assert batch.schema.equals(logs.OUTCOMES_SCHEMA)
    assert batch.to_pydict()["id"] == ["p0", "p2"]
    assert found.valid["fares"].batch("fares").to_pylist() == [
        {
            "id": None, "entity": "r1", "outcome": 1.0, "outcome_label": None,
            "known_at": datetime(2013, 1, 1, 0, 0, 1, tzinfo=UTC),
        }
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("value", "field"),
    [
        (b"not json", None),
        (None, None),
        (b"[" * 70_000, None),
        (b"[1]", None),
        (outcome(1).replace(b'"outcome":1', b'"outcome":NaN'), None),
        (outcome(1, model="tip"), "model"),
        (outcome(1, model=None), "model"),
        (outcome(1, id=None), "id"),
        (outcome(1, id=7), "id"),
        (outcome(1, id=""), "id"),
        (outcome(1, id="a\x00b"), "id"),
        (outcome(1, entity="a\x00b"), "entity"),
        (outcome(1, outcome=2), "outcome"),
        (outcome(1, outcome="UP"), "outcome"),
        (outcome(1, outcome=None), "outcome"),
        (outcome(1, event_time="2013-01-01T10:00:00"), "event_time"),
        (outcome(1, event_time=12), "event_time"),
        (outcome(1, event_time="1899-12-31T23:59:59Z"), "event_time"),
        (outcome(1, event_time="0001-01-01T00:00:00+10:00"), "event_time"),
        (outcome(1, event_time="9999-12-31T23:59:59-10:00"), "event_time"),
        (outcome(1, event_time="2014-01-02T00:00:01Z"), "event_time"),
    ],
)
def test_an_invalid_outcome_names_its_field(value: bytes | None, field: str | None) -> None:
    found = parse_outcomes([outcome(0), value, outcome(2)], MODELS, NOW)
    assert [(index, error.field) for index, error in found.invalid] == [(1, field)]
    assert found.valid["tips"].id == ["p0", "p2"]


def test_a_dead_letter_names_some_of_many_models() -> None:
    models = {f"model-{n:04}": BinaryLabels() for n in range(1_000)}
    [(_, error)] = parse_outcomes([outcome(1, model="unheard-of")], models, NOW).invalid
    assert re.findall(r"model-\d+", str(error)) == [f"model-{n:04}" for n in range(20)]
    assert "980 more" in str(error)


def test_outcomes_have_the_labels_of_their_model() -> None:
    models = {"tips": BinaryLabels(), "moves": BinaryLabels(positive="UP", negative="DOWN")}
    values = [True, "false", "1", 0, "UP", "DOWN", "UP", 1]
    names = ["tips"] * 4 + ["moves"] * 4
    found = parse_outcomes([outcome(1, model=m, outcome=v) for m, v in zip(names, values, strict=True)], models, NOW)
    assert (found.valid["tips"].outcome, found.valid["moves"].outcome) == ([1, 0, 1, 0], [1, 0, 1])
    assert [(index, error.field) for index, error in found.invalid] == [(7, "outcome")]


def test_an_outcome_is_in_the_column_of_its_task() -> None:
    models = {name: task.labels(None, None) for name, task in TASKS.items()}
    given = [("multiclass", "oak"), ("multiclass", 3), ("multiclass", True), ("regression", 0.1), ("regression", "1e2")]
    found = parse_outcomes([outcome(n, model=m, outcome=v) for n, (m, v) in enumerate(given)], models, NOW)
    assert found.invalid == []
    rows = {model: columns.batch(model).select(["outcome", "outcome_label"]) for model, columns in found.valid.items()}
    assert {model: batch.to_pydict() for model, batch in rows.items()} == {
        "multiclass": {"outcome": [None, None, None], "outcome_label": ["oak", "3", "true"]},
        "regression": {"outcome": [0.1, 100.0], "outcome_label": [None, None]},
    }


@pytest.mark.parametrize(
    ("task", "value"),
    [
        ("regression", "much"), ("regression", True), ("regression", 1e39), ("regression", "nan"), ("regression", None),
        ("multiclass", 2.5), ("multiclass", " "), ("multiclass", "x" * 257), ("multiclass", ["oak"]),
        ("multiclass", 2**53), ("multiclass", None),
    ],
)  # fmt: skip
def test_an_outcome_that_is_no_label_of_the_task_says_what_to_send(task: str, value: object) -> None:
    labels = TASKS[task].labels(None, None)
    [(_, error)] = parse_outcomes([outcome(1, outcome=value)], {"tips": labels}, NOW).invalid
    assert (error.field, str(error).partition(": send ")[2]) == ("outcome", labels.expected)


def test_an_unknown_task_makes_dead_letters_of_its_outcomes_alone() -> None:
    models = {"tips": BinaryLabels(), "future": UnknownTaskError("ranking")}
    found = parse_outcomes([outcome(1, model="future"), outcome(2)], models, NOW)
    [(index, error)] = found.invalid
    assert (index, error.field) == (0, "model")
    assert str(error) == (
        "the model 'future' has the task 'ranking', which this release of ingestion does not know: upgrade ingestion, "
        "then publish this dead letter again"
    )
    assert found.valid["tips"].id == ["p2"]


def test_old_outcomes_are_normal_and_a_clock_may_be_a_day_ahead() -> None:
    times = ["1900-01-01T00:00:00Z", (NOW + timedelta(days=1)).isoformat()]
    assert parse_outcomes([outcome(1, event_time=time) for time in times], MODELS, NOW).invalid == []


@given(st.lists(st.binary(max_size=40) | st.integers(0, 99).map(outcome), max_size=20))
def test_every_message_is_valid_or_invalid_and_none_raises(values: list[bytes]) -> None:
    found = parse_outcomes(values, MODELS, NOW)
    assert sum(len(columns.id) for columns in found.valid.values()) + len(found.invalid) == len(values)
    for model, columns in found.valid.items():
        assert logs.decode(logs.encode(columns.batch(model))).num_rows == len(columns.id)


@pytest.mark.medium
def test_an_aborted_micro_batch_is_not_counted() -> None:
    def counted() -> list[float]:
        labels = ({"outcome": "accepted"}, {"outcome": "dead_letter"})
        return [REGISTRY.get_sample_value("rondo_ingestion_outcomes_total", each) or 0 for each in labels]

    transform = OutcomeTransform(SpecCache([spec()]), lambda: NOW)
    messages = [
        Message(topic="outcomes.observed", partition=0, offset=offset, value=value)
        for offset, value in enumerate((outcome(0), outcome(1), b"not json"))
    ]
    before = counted()
    assert len(transform(messages).records) == 2
    assert counted() == before
    transform(messages).committed()
    assert [now - then for now, then in zip(counted(), before, strict=True)] == [2, 1]
