"""The inference service: every answer belongs to its request, its log to its answer, and a bad row affects no other."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rondo.contracts.events import inference_cost
from rondo.contracts.events.inference_cost import InferenceCost
from rondo.serving.models.loaded_version import LoadedVersion, ServedModel

from tests.serving.builders import (
    BINARY,
    CLASSES,
    INTERVAL,
    MULTICLASS,
    NUMBERED,
    REGRESSION,
    TEXTS,
    infer_values,
    request,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from rondo.contracts.tasks.base import FittedTask


@pytest.fixture(scope="module")
def first(version: Callable[..., LoadedVersion]) -> LoadedVersion:
    return version()


def alone(version: LoadedVersion) -> ServedModel:
    return ServedModel("delay", 1, (version,), (1.0,))


@pytest.mark.medium
@given(
    st.lists(
        st.integers(0, 1000) | st.sampled_from([b"spoiled", None, b'{"id": "x", "model": "unknown"}']), max_size=30
    )
)
def test_each_answer_belongs_to_the_request_at_its_place(first: LoadedVersion, items: list[Any]) -> None:
    found = infer_values([request(i) if isinstance(i, int) else i for i in items], alone(first))
    good = {place: number for place, number in enumerate(items) if isinstance(number, int)}
    assert found.ids == {place: f"r{number}" for place, number in good.items()}
    assert found.scores == {place: float(number) for place, number in good.items()}
    assert found.refused.keys() == set(range(len(items))) - good.keys()
    assert [(row["id"], row["feature.distance"], row["output.score"]) for row in found.logged] == [
        (f"r{number}", float(number), float(number)) for number in good.values()
    ]


def test_two_versions_share_the_traffic_by_entity(
    serve: Callable[..., ServedModel], version: Callable[..., LoadedVersion]
) -> None:
    served = serve(version(1), version(2, 10.0), shares=(0.5, 0.5))
    found = infer_values([request(number, entity=f"N{number % 20}") for number in range(200)], served)
    by_entity: dict[int, set[int]] = {}
    for place, number in found.versions.items():
        by_entity.setdefault(place % 20, set()).add(number)
        assert found.scores[place] == place * (1.0 if number == 1 else 10.0)
    assert len(found.versions) == 200
    assert all(len(versions) == 1 for versions in by_entity.values())
    assert {row["model_version"] for row in found.logged} == {1, 2}
    assert {row["id"]: row["model_version"] for row in found.logged} == {
        found.ids[place]: number for place, number in found.versions.items()
    }


def test_a_bad_row_is_refused_alone_whichever_version_would_answer(
    serve: Callable[..., ServedModel], version: Callable[..., LoadedVersion]
) -> None:
    served = serve(version(1), version(2, 10.0), shares=(0.5, 0.5))
    big = {"distance": 1e39, "night": False}
    found = infer_values([request(n, **({"features": big} if n % 7 == 0 else {})) for n in range(100)], served)
    assert found.codes() == dict.fromkeys(range(0, 100, 7), "not_finite")
    assert found.ids == {place: f"r{place}" for place in range(100) if place % 7}
    assert set(found.versions.values()) == {1, 2}


def test_a_number_that_the_model_cannot_take_is_refused_and_the_others_answered(first: LoadedVersion) -> None:
    values: list[bytes | None] = [
        request(1),
        json.dumps({"id": "big", "model": "delay", "features": {"distance": 1e39, "night": True}}).encode(),
        json.dumps({"id": "half", "model": "delay", "features": {"distance": 1, "night": True, "seats": 1.5}}).encode(),
        request(2),
    ]
    found = infer_values(values, alone(first))
    assert list(found.ids.values()) == ["r1", "r2"]
    assert {place: (error.code, error.facts["feature"]) for place, error in found.refused.items()} == {
        1: ("not_finite", "distance"), 2: ("wrong_type", "seats"),
    }  # fmt: skip


class PartlyFailing:
    """A model that fails on a batch with a 13, and gives `spoiled` in `output` where the distance is 7."""

    def __init__(self, version: LoadedVersion, output: str, spoiled: float) -> None:
        self._scorer, self._output, self._spoiled = version.scorer, output, spoiled

    def score(self, columns: Any) -> Any:
        distance = columns["distance"]
        if (distance == 13).any():
            message = "no thirteen"
            raise RuntimeError(message)
        outputs = self._scorer.score(columns)
        values = outputs[self._output].copy()
        values.reshape(len(distance), -1)[distance == 7, -1] = self._spoiled
        return {**outputs, self._output: values}


@pytest.mark.medium
@pytest.mark.parametrize(
    ("fitted", "output", "spoiled"),
    [
        (BINARY, "score", np.nan), (BINARY, "label", 2), (MULTICLASS, "label", -1),
        (MULTICLASS, "probabilities", np.nan), (INTERVAL, "value", np.inf), (INTERVAL, "high", np.nan),
    ],
)  # fmt: skip
def test_a_request_that_the_model_fails_on_is_refused_alone(
    version: Callable[..., LoadedVersion], fitted: FittedTask, output: str, spoiled: float
) -> None:
    mine = version(fitted=fitted)
    for numbers in ((1, 13, 7, 2), (1, 7, 7, 2)):
        failing = replace(mine, scorer=PartlyFailing(mine, output, spoiled))
        found = infer_values([request(n) for n in numbers], alone(failing))
        assert list(found.ids.values()) == ["r1", "r2"]
        assert found.codes() == {1: "no_prediction", 2: "no_prediction"}
        assert [row["id"] for row in found.logged] == ["r1", "r2"]


LOGGED = [
    (TEXTS, [("on time", 4.0), ("verspätet", 6.0)], ("label", "score"), None),
    (NUMBERED, [("7", 4.0, [2.0, 4.0]), ("7", 6.0, [3.0, 6.0])], ("label", "score", "probabilities"), ["-1", "7"]),
    (
        MULTICLASS, [(CLASSES[2], 4.0), (CLASSES[2], 6.0)], ("label", "score"), list(CLASSES),
    ),
    (REGRESSION, [(4.0,), (6.0,)], ("value",), None),
    (INTERVAL, [(4.0, 1.5, 6.5), (6.0, 3.5, 8.5)], ("value", "low", "high"), None),
]  # fmt: skip


@pytest.mark.parametrize(("fitted", "expected", "names", "classes"), LOGGED, ids=range(len(LOGGED)))
def test_every_output_is_logged(
    version: Callable[..., LoadedVersion], fitted: FittedTask, expected: Any, names: Any, classes: Any
) -> None:
    served = alone(version(fitted=fitted))
    found = infer_values([request(4), request(6)], served)
    assert [tuple(row[f"output.{name}"] for name in names) for row in found.logged] == expected
    logged = {name.removeprefix("output.") for name in found.logged[0] if name.startswith("output.")}
    assert logged == set(served.outputs.names)
    assert json.loads(found.metadata.get("classes", "null")) == classes


def test_the_error_for_a_model_without_a_loadable_version_has_the_reason(first: LoadedVersion) -> None:
    values = [request(1, model="broken")]
    found = infer_values(values, alone(first), unserved={"broken": "why"})
    assert {place: (error.code, str(error)) for place, error in found.refused.items()} == {0: ("unserved_model", "why")}


EXTREMES = [
    "0001-01-01T00:00:00+14:00", "0001-01-01T00:00:00Z", "1899-12-31T23:59:59Z", "2013-03-02T12:00:01Z",
    "9999-12-31T23:59:59-14:00", "9999-12-31T23:59:59.999999Z",
]  # fmt: skip


@pytest.mark.parametrize("time", EXTREMES)
def test_an_event_time_out_of_range_is_refused_alone(first: LoadedVersion, time: str) -> None:
    values = [request(1), request(2, event_time=time), request(3, event_time="2013-03-02T11:59:59Z")]
    found = infer_values(values, alone(first))
    assert list(found.ids.values()) == ["r1", "r3"]
    assert found.codes() == {1: "bad_event_time"}
    assert str(found.refused[1]).endswith(
        "send a time from 1900 to a day from now, as RFC 3339 with an offset, such as 2013-03-01T12:00:00Z"
    )
    assert [row["id"] for row in found.logged] == ["r1", "r3"]


@pytest.mark.medium
@given(st.datetimes(timezones=st.timezones() | st.just(UTC)) | st.none())
def test_no_event_time_stops_a_micro_batch(first: LoadedVersion, time: datetime | None) -> None:
    sent = time.isoformat() if time else None
    found = infer_values([request(1, event_time=sent)], alone(first))
    assert len(found.ids) + len(found.refused) == 1


@pytest.mark.medium
def test_the_log_of_long_texts_is_split(first: LoadedVersion) -> None:
    features = {"distance": 1, "night": False, "carrier": "x" * 1_000_000}
    values: list[bytes | None] = [
        json.dumps({"id": f"r{n}", "model": "delay", "features": features}).encode() for n in range(9)
    ]
    found = infer_values(values, alone(first))
    assert len(found.ids) == 9
    assert found.records > 1
    assert [row["id"] for row in found.logged] == [f"r{n}" for n in range(9)]


def test_the_log_has_what_the_inference_cost(version: Callable[..., LoadedVersion]) -> None:
    found = infer_values([request(1), request(2), b"spoiled"], alone(version()))
    cost = InferenceCost.parse(found.metadata[inference_cost.KEY])
    assert (len(cost.micros), cost.rows, cost.failed) == (1, 2, 0)
    assert 0 < cost.micros[0] < 60_000_000
    assert 0 <= cost.cpu_micros < 60_000_000
    assert cost.memory > 10_000_000
