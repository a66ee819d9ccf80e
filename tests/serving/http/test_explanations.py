"""Explanations over HTTP: what each feature adds to a prediction, and what can't be explained."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from rondo.contracts.access_tokens import Role
from rondo.contracts.model_metadata import BACKGROUND
from rondo.contracts.tasks.base import FittedTask

from tests.serving.builders import BINARY, FEATURES, MULTICLASS, build_model, version_of
from tests.serving.http.inference_api import DISTANCE, NIGHT, tensor
from tests.support.access import bearer

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx
    from rondo.serving.models.loaded_version import LoadedVersion, ServedModel
    from rondo.serving.models.serving_table import ServedModels

    from tests.serving.http.inference_api import LogTopic

EXPLAIN = "/v2/models/delay/explain"
BODY = {"inputs": [DISTANCE, NIGHT], "id": "r"}
VALUES = {"distance": [1.0, 2.0, 3.0], "seats": [None, 2, 3], "night": [1, 0, 0], "carrier": ["AA", None, "UA"]}


def explainable(number: int, fitted: FittedTask = BINARY) -> LoadedVersion:
    metadata = {FittedTask.METADATA: fitted.model_dump_json(), BACKGROUND: json.dumps(VALUES)}
    return version_of("delay", number, build_model(2.0, FEATURES, fitted, metadata), FEATURES)


@pytest.fixture
def models(serve: Callable[..., ServedModel], models: ServedModels) -> ServedModels:
    models.swap(serve(explainable(4), revision=2))
    return models


def outputs(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    found = {each["name"]: each for each in answer.json()["outputs"]}
    assert all(len(each["data"]) == np.prod(each["shape"]) for name, each in found.items() if "." in name[:6])
    return found


async def test_the_values_of_a_row_add_up_to_its_score(client: httpx.AsyncClient, topic: LogTopic) -> None:
    found = outputs(await client.post(EXPLAIN, json=BODY | {"parameters": {"pairs": 3}}))
    shapley, base = found["score.shapley"], found["score.base"]
    assert (shapley["shape"], shapley["parameters"]["features"]) == ([2, 4], [*FEATURES])
    # The score is twice the distance, and the mean distance of the background is 2.
    assert base["data"] == [4.0, 4.0]
    assert shapley["data"] == [-1.0, 0.0, 0.0, 0.0, 2.0, 0.0, 0.0, 0.0]
    assert (found["rondo.id"]["data"], found["rondo.model_version"]["data"]) == (["r/0", "r/1"], ["4", "4"])
    assert not topic.batches, "an explanation is no prediction"


async def test_each_probability_is_explained(
    client: httpx.AsyncClient, models: ServedModels, serve: Callable[..., ServedModel]
) -> None:
    models.swap(serve(explainable(5, MULTICLASS), revision=3))
    found = outputs(await client.post(EXPLAIN, json=BODY | {"parameters": {"pairs": 3}}))
    shapley = found["probabilities.shapley"]
    assert (shapley["shape"], shapley["parameters"]["labels"]) == ([2, 4, 3], list(MULTICLASS.labels))
    # What the model gives for the kth of three labels is k thirds of twice the distance.
    thirds = np.array([1, 2, 3]) / 3
    distance, *others = np.reshape(shapley["data"], (2, 4, 3))[0]
    assert distance == pytest.approx(thirds * 2 * (1.5 - 2), abs=0.1)
    assert np.abs(others).max() == 0
    assert found["probabilities.base"]["data"][:3] == pytest.approx(thirds * 4, abs=0.1)


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"parameters": {"pairs": 1}}, 400, "bad_request"),
        ({"parameters": {"pairs": "many"}}, 400, "bad_request"),
        ({"parameters": {"pairs": True}}, 400, "bad_request"),
        ({"inputs": [DISTANCE]}, 400, "missing_feature"),
        (
            {"inputs": [tensor("distance", "FP32", *[1.0] * 900), tensor("night", "BOOL", *[True] * 900)],
             "parameters": {"pairs": 1_000}},
            413, "too_large",
        ),
        ({"inputs": [tensor("distance", "FP32", None), tensor("night", "BOOL", *[True])]}, 400, "missing_feature"),
    ],
)  # fmt: skip
async def test_a_refusal_says_what_to_send(
    client: httpx.AsyncClient, changes: dict[str, Any], status: int, code: str
) -> None:
    answer = await client.post(EXPLAIN, json=BODY | changes)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_an_artifact_without_background_values_asks_for_a_training(
    client: httpx.AsyncClient,
    models: ServedModels,
    version: Callable[..., LoadedVersion],
    serve: Callable[..., ServedModel],
) -> None:
    models.swap(serve(version(6, 2.0), revision=4))
    answer = await client.post(EXPLAIN, json=BODY)
    assert (answer.status_code, answer.json()["code"]) == (409, "unexplainable")
    assert "its artifact has no background values. Train again (`rondo train delay`)" in answer.json()["detail"]


async def test_explanations_need_a_predictor(client: httpx.AsyncClient) -> None:
    assert (await client.post(EXPLAIN, json=BODY, headers=bearer(Role.READER))).status_code == 403
