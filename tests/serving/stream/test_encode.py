"""Answers are JSON of the contract, for every id, task and label."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rondo.contracts.events.predictions import PredictionMade
from rondo.contracts.tasks.base import FittedTask
from rondo.contracts.tasks.registry import task_named
from rondo.serving.outputs.schema import OutputSchema
from rondo.serving.stream.encode import encode_answers

from tests.serving.builders import BINARY, CLASSES, INTERVAL, MULTICLASS, NUMBERED, REGRESSION, TEXTS

if TYPE_CHECKING:
    from numpy.typing import NDArray

NOW = datetime(2013, 3, 1, 12, tzinfo=UTC)
DIGEST = "sha256:" + "a" * 64
TEXT = st.text(st.characters(exclude_characters="\0", codec="utf-8"), min_size=1, max_size=256)


def encoded(ids: list[str], fitted: FittedTask, raw: NDArray[np.float64]) -> list[bytes]:
    outputs: Any = task_named(fitted.task).predictions(fitted, raw)
    return encode_answers("m", 3, DIGEST, ids, OutputSchema.of(fitted), outputs, NOW)


@given(st.lists(TEXT, min_size=1), st.floats(0, 1, width=32))
def test_answers_are_json_of_the_contract_whatever_the_id(ids: list[str], score: float) -> None:
    answers = encoded(ids, BINARY, np.full((len(ids), 1), score))
    made = [PredictionMade.model_validate_json(answer) for answer in answers]
    assert [m.id for m in made] == ids
    assert {(m.model, m.model_version, m.digest, m.made_at) for m in made} == {("m", 3, DIGEST, NOW)}
    assert all(np.float32(m.output["score"]) == np.float32(score) for m in made)


@pytest.mark.parametrize(
    ("fitted", "raw", "expected"),
    [
        (BINARY, [0.7], '{"score":0.7,"label":0}'),
        (BINARY, [5.0], '{"score":5.0,"label":1}'),
        (TEXTS, [5.5], '{"score":5.5,"label":"verspätet"}'),
        (
            MULTICLASS,
            [0.1, 0.6, 0.3],
            r'{"label":"Übergröße","score":0.6,"probabilities":{"score":0.1,"Übergröße":0.6,"a \"b\"\\":0.3}}',
        ),
        (NUMBERED, [0.75, 0.25], '{"label":-1,"score":0.75,"probabilities":{"-1":0.75,"7":0.25}}'),
        (REGRESSION, [1e-7], '{"value":1e-7}'),
        (INTERVAL, [12.5], '{"value":12.5,"low":10.0,"high":15.0}'),
    ],
)
def test_the_output_of_each_task(fitted: FittedTask, raw: list[float], expected: str) -> None:
    (answer,) = encoded(["a"], fitted, np.array([raw]))
    assert answer.endswith(b',"id":"a","output":%b}' % expected.encode())
    output = PredictionMade.model_validate_json(answer).output
    assert output == json.loads(expected)
    assert [type(value) for value in output.values()] == [type(value) for value in json.loads(expected).values()]


@given(st.lists(TEXT, min_size=1, max_size=4, unique=True), st.lists(st.integers(0, 3), min_size=1, max_size=5))
def test_every_row_has_its_own_label_whatever_the_labels(labels: list[str], rows: list[int]) -> None:
    fitted = FittedTask(task="multiclass", labels=tuple(labels))
    chosen = [row % len(labels) for row in rows]
    raw = np.eye(len(labels))[chosen]
    answers = encoded([str(row) for row in range(len(rows))], fitted, raw)
    made = [PredictionMade.model_validate_json(answer).output for answer in answers]
    assert [each["label"] for each in made] == [labels[place] for place in chosen]
    assert [each["probabilities"] for each in made] == [
        {label: float(place == mine) for place, label in enumerate(labels)} for mine in chosen
    ]


def test_models_that_differ_in_their_labels_alone_are_told_apart() -> None:
    other = FittedTask(task="multiclass", labels=(*CLASSES[:2], "c"))
    for fitted in (MULTICLASS, other, MULTICLASS):
        (answer,) = encoded(["a"], fitted, np.array([[0.1, 0.2, 0.7]]))
        assert json.loads(answer)["output"]["label"] == fitted.labels[2]
