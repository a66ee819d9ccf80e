"""A micro-batch from bytes to records: every answer belongs to its request, and its log to its answer."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rondo.contracts.events import logs
from rondo.contracts.events.predictions import PredictionMade
from rondo.serving.models.loaded_version import Serving, Version
from rondo.serving.models.table import Table
from rondo.serving.stream.answer_batch import Answering
from rondo.serving.stream.encode import encode

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = datetime(2013, 3, 1, 12, tzinfo=UTC)
DIGEST = "sha256:" + "a" * 64


def request(number: int, model: str = "delay", **more: Any) -> bytes:
    features = {"distance": number, "night": False}
    return json.dumps({"id": f"r{number}", "model": model, "features": features} | more).encode()


def answer(
    values: list[bytes | None], *servings: Serving
) -> tuple[dict[int, dict[str, Any]], dict[int, str], list[Any]]:
    table = Table({serving.model: serving for serving in servings})
    answering = Answering(
        table, values, table.reader.read(values), lambda: NOW, {"broken": "broken could not be loaded"}
    )
    found, logged = {}, []
    for answered in answering.answered():
        found |= dict(zip(answered.places, map(orjson.loads, answered.values), strict=True))
        logged += [logs.decode(record) for record in answered.logged]
    return found, {place: str(error) for place, error in answering.refused.items()}, logged


@pytest.fixture(scope="module")
def first(version: Callable[..., Version]) -> Version:
    return version()


@given(st.lists(st.text(), min_size=1, max_size=5), st.floats(0, 1, width=32))
def test_answers_are_json_of_the_contract_whatever_the_id(ids: list[str], score: float) -> None:
    ids = [text.encode(errors="replace").decode()[:256] or "-" for text in ids]
    made = [
        PredictionMade.model_validate_json(a) for a in encode("m", 3, DIGEST, ids, np.full(len(ids), score, "f4"), NOW)
    ]
    assert [m.id for m in made] == ids
    assert {(m.model, m.model_version, m.digest, m.made_at) for m in made} == {("m", 3, DIGEST, NOW)}
    assert all(np.float32(m.output["score"]) == np.float32(score) for m in made)


@given(
    st.lists(st.integers(0, 1000) | st.sampled_from([b"spoiled", None, b'{"id": "x", "model": "nobody"}']), max_size=30)
)
def test_each_answer_belongs_to_the_request_at_its_place(first: Version, items: list[Any]) -> None:
    serving = Serving("delay", 1, (first,), (1.0,))
    answers, refused, logged = answer([request(i) if isinstance(i, int) else i for i in items], serving)
    good = {place: number for place, number in enumerate(items) if isinstance(number, int)}
    assert {place: (a["id"], a["output"]["score"]) for place, a in answers.items()} == {
        place: (f"r{number}", float(number)) for place, number in good.items()
    }
    assert refused.keys() == set(range(len(items))) - good.keys()
    rows = [row for batch in logged for row in batch.to_pylist()]
    assert [(row["id"], row["feature.distance"], row["output.score"]) for row in rows] == [
        (f"r{number}", float(number), float(number)) for number in good.values()
    ]


def test_two_versions_share_the_traffic_by_entity(
    serve: Callable[..., Serving], version: Callable[..., Version]
) -> None:
    serving = serve(version(1), version(2, 10.0), shares=(0.5, 0.5))
    values = [request(number, entity=f"N{number % 20}") for number in range(200)]
    answers, _, logged = answer(values, serving)
    by_entity: dict[int, set[int]] = {}
    for place, made in answers.items():
        by_entity.setdefault(place % 20, set()).add(made["model_version"])
        assert made["output"]["score"] == place * (1.0 if made["model_version"] == 1 else 10.0)
    assert len(answers) == 200
    assert all(len(versions) == 1 for versions in by_entity.values())
    assert {logs.metadata(batch)["model_version"] for batch in logged} == {"1", "2"}


def test_a_number_that_the_model_cannot_take_is_refused_and_the_others_answered(first: Version) -> None:
    values: list[bytes | None] = [
        request(1),
        json.dumps({"id": "big", "model": "delay", "features": {"distance": 1e39, "night": True}}).encode(),
        json.dumps({"id": "half", "model": "delay", "features": {"distance": 1, "night": True, "seats": 1.5}}).encode(),
        request(2),
    ]
    answers, refused, _ = answer(values, Serving("delay", 1, (first,), (1.0,)))
    assert [a["id"] for a in answers.values()] == ["r1", "r2"]
    assert "`distance` is infinite as a 32-bit float: send a number" in refused[1]
    assert "`seats` is the number 1.5: send a whole number, such as 12" in refused[2]


class Moody:
    """A model that fails on a whole batch that holds a 13, and gives NaN for 7."""

    def score(self, columns: Any) -> Any:
        distance = columns["distance"]
        if (distance == 13).any():
            message = "no thirteen"
            raise RuntimeError(message)
        return np.where(distance == 7, np.nan, distance).astype("f4")


def test_a_request_that_the_model_fails_on_is_refused_alone(first: Version) -> None:
    moody = Version("delay", 1, first.digest, first.layout, Moody(), first.log)
    serving = Serving("delay", 1, (moody,), (1.0,))
    answers, refused, logged = answer([request(n) for n in (1, 13, 7, 2)], serving)
    assert [a["id"] for a in answers.values()] == ["r1", "r2"]
    assert refused.keys() == {1, 2}
    assert "the model gave no finite score for these features" in refused[1]
    assert [row["id"] for batch in logged for row in batch.to_pylist()] == ["r1", "r2"]


def test_a_model_whose_versions_were_all_refused_says_why(first: Version) -> None:
    serving = Serving("delay", 1, (first,), (1.0,))
    _, refused, _ = answer([request(1, model="broken")], serving)
    assert refused == {0: "broken could not be loaded"}


EXTREMES = [
    "0001-01-01T00:00:00+14:00", "0001-01-01T00:00:00Z", "1899-12-31T23:59:59Z", "2013-03-02T12:00:01Z",
    "9999-12-31T23:59:59-14:00", "9999-12-31T23:59:59.999999Z",
]  # fmt: skip


@pytest.mark.parametrize("time", EXTREMES)
def test_an_event_time_that_is_not_believed_is_refused_alone(first: Version, time: str) -> None:
    values = [request(1), request(2, event_time=time), request(3, event_time="2013-03-02T11:59:59Z")]
    answers, refused, logged = answer(values, Serving("delay", 1, (first,), (1.0,)))
    assert [a["id"] for a in answers.values()] == ["r1", "r3"]
    assert refused.keys() == {1}
    assert refused[1].startswith("`event_time` is ")
    assert refused[1].endswith(
        "send a time from 1900 to a day from now, as RFC 3339 with an offset, such as 2013-03-01T12:00:00Z"
    )
    assert [row["id"] for batch in logged for row in batch.to_pylist()] == ["r1", "r3"]


@given(st.datetimes(timezones=st.timezones() | st.just(UTC)) | st.none())
def test_no_event_time_stops_a_micro_batch(first: Version, time: datetime | None) -> None:
    sent = time.isoformat() if time else None
    answers, refused, _ = answer([request(1, event_time=sent)], Serving("delay", 1, (first,), (1.0,)))
    assert len(answers) + len(refused) == 1


def test_the_log_of_long_texts_is_split(first: Version) -> None:
    features = {"distance": 1, "night": False, "carrier": "x" * 1_000_000}
    values: list[bytes | None] = [
        json.dumps({"id": f"r{n}", "model": "delay", "features": features}).encode() for n in range(9)
    ]
    answers, _, logged = answer(values, Serving("delay", 1, (first,), (1.0,)))
    assert len(answers) == 9
    assert len(logged) > 1
    assert [i for batch in logged for i in batch.column("id").to_pylist()] == [f"r{n}" for n in range(9)]
