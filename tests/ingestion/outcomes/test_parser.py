"""A micro-batch of outcomes, sorted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from confluent_kafka import Message
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import REGISTRY
from rondo.contracts.events import logs
from rondo.ingestion.kafka import OutcomeTransform
from rondo.ingestion.outcomes.parser import sort_out
from rondo.ingestion.spec_cache import Specs

from tests.ingestion.conftest import NOW, outcome, spec

MODELS = frozenset({"tips", "fares"})


def test_outcomes_become_one_batch_a_model() -> None:
    found = sort_out([outcome(0), outcome(1, model="fares", id=None, entity="r1"), outcome(2)], MODELS, NOW)
    assert found.bad == []
    batch = logs.decode(logs.encode(found.good["tips"].batch("tips")))
    assert logs.metadata(batch) == {"model": "tips"}
    assert batch.schema.equals(logs.OUTCOMES_SCHEMA)
    assert batch.to_pydict()["id"] == ["p0", "p2"]
    assert found.good["fares"].batch("fares").to_pylist() == [
        {"id": None, "entity": "r1", "outcome": 1.0, "known_at": datetime(2013, 1, 1, 0, 0, 1, tzinfo=UTC)}
    ]


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (b"not json", "it is not JSON (invalid literal"),
        (None, "it is empty: send one JSON object of less than 64 KiB"),
        (b"[" * 70_000, "it is 70,000 bytes long: send one JSON object of less than 64 KiB"),
        (b"[1]", "it is JSON, but no object: send {model, id or entity, outcome, event_time}"),
        (outcome(1, model="tip"), "there is no model 'tip': did you mean 'tips'?"),
        (outcome(1, model=None), "there is no model 'None': known: fares, tips; apply a spec"),
        (outcome(1, id=None), "it names neither `id` nor `entity`: say which prediction it is about"),
        (outcome(1, id=7), "`id` is '7': send a text of 1 to 256 characters"),
        (outcome(1, id=""), "`id` is '': send a text of 1 to 256 characters"),
        (outcome(1, outcome=2), "`outcome` is '2': send 0 or 1"),
        (outcome(1, outcome="1"), "`outcome` is '1': send 0 or 1"),
        (outcome(1, outcome=None), "`outcome` is 'None': send 0 or 1"),
        (outcome(1).replace(b'"outcome":1', b'"outcome":NaN'), "it is not JSON"),
        (
            outcome(1, event_time="2013-01-01T10:00:00"),
            (
                "`event_time` is '2013-01-01T10:00:00': send when it became known, with a zone, such as "
                "2013-01-01T10:00:00Z"
            ),
        ),
        (outcome(1, event_time=12), "`event_time` is '12': send when it became known, with a zone"),
        (
            outcome(1, event_time="1899-12-31T23:59:59Z"),
            (
                "`event_time` is '1899-12-31T23:59:59Z', before the year 1900: send when it became known, with a zone, "
                "such as 2013-01-01T10:00:00Z"
            ),
        ),
        (
            outcome(1, event_time="0001-01-01T00:00:00+10:00"),
            "`event_time` is '0001-01-01T00:00:00+10:00': send when it became known",
        ),
        (
            outcome(1, event_time="9999-12-31T23:59:59-10:00"),
            "`event_time` is '9999-12-31T23:59:59-10:00': send when it became known",
        ),
        (
            outcome(1, event_time="2014-01-02T00:00:01Z"),
            (
                "`event_time` is '2014-01-02T00:00:01Z', more than a day ahead of now: send when it became known, "
                "with a zone, such as 2013-01-01T10:00:00Z"
            ),
        ),
    ],
)
def test_what_is_no_outcome_is_told_apart(value: bytes | None, why: str) -> None:
    found = sort_out([outcome(0), value, outcome(2)], MODELS, NOW)
    assert [(place, str(error)[: len(why)]) for place, error in found.bad] == [(1, why)]
    assert found.good["tips"].id == ["p0", "p2"]


def test_a_dead_letter_names_some_of_many_models() -> None:
    models = {f"model-{n:04}" for n in range(1_000)}
    [(_, error)] = sort_out([outcome(1, model="unheard-of")], models, NOW).bad
    assert str(error).endswith(", model-0018, model-0019, and 980 more; apply a spec")


def test_old_outcomes_are_normal_and_a_clock_may_be_a_day_ahead() -> None:
    times = ["1900-01-01T00:00:00Z", (NOW + timedelta(days=1)).isoformat()]
    assert sort_out([outcome(1, event_time=time) for time in times], MODELS, NOW).bad == []


@given(st.lists(st.binary(max_size=40) | st.integers(0, 99).map(outcome), max_size=20))
def test_every_message_is_sorted_and_none_fails(values: list[bytes]) -> None:
    found = sort_out(values, MODELS, NOW)
    assert sum(len(columns.id) for columns in found.good.values()) + len(found.bad) == len(values)
    for model, columns in found.good.items():
        assert logs.decode(logs.encode(columns.batch(model))).num_rows == len(columns.id)


def test_what_was_aborted_is_not_counted_though_the_same_messages_come_again() -> None:
    def counted() -> list[float]:
        labels = ({"outcome": "accepted"}, {"outcome": "dead_letter"})
        return [REGISTRY.get_sample_value("rondo_ingestion_outcomes_total", each) or 0 for each in labels]

    transform = OutcomeTransform(Specs([spec()]), lambda: NOW)
    messages = [
        Message(topic="outcomes.observed", partition=0, offset=offset, value=value)
        for offset, value in enumerate((outcome(0), outcome(1), b"not json"))
    ]
    before = counted()
    assert len(list(transform(messages))) == 2
    assert counted() == before
    list(transform(messages))
    transform.committed()
    assert [now - then for now, then in zip(counted(), before, strict=True)] == [2, 1]
