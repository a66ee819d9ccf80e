"""Explanations over HTTP: the contribution of each feature to a prediction, and rows that can't be explained."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import jsonschema
import numpy as np
import pytest
from rondo.contracts.access_tokens import Role
from rondo.contracts.model_metadata import BACKGROUND
from rondo.contracts.spec.data import Feature
from rondo.contracts.tasks.base import FittedTask
from rondo.contracts.vocabularies import UnknownFields
from rondo.serving.models.common_requests import with_common_requests
from rondo.serving.models.loaded_version import ServedModel

from tests.serving.builders import BINARY, FEATURES, MULTICLASS, build_model, version_of
from tests.serving.http.inference_api import DISTANCE, NIGHT, tensor
from tests.support.access import bearer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import httpx
    from rondo.serving.models.loaded_version import LoadedVersion
    from rondo.serving.models.serving_table import ServedModels

    from tests.serving.http.inference_api import LogTopic

EXPLAIN = "/v2/models/delay/explain"
BODY = {"inputs": [DISTANCE, NIGHT], "id": "r"}
VALUES = {
    "distance": [1.0, 2.0, 3.0], "seats": [None, 2, 3], "night": [1, 0, 0], "carrier": ["AA", None, "UA"],
    "wind": [0.0, 1.0, 2.0],
}  # fmt: skip


def explainable(number: int, fitted: FittedTask = BINARY, features: Mapping[str, Feature] = FEATURES) -> LoadedVersion:
    background = json.dumps({name: VALUES[name] for name in features})
    metadata = {FittedTask.METADATA: fitted.model_dump_json(), BACKGROUND: background}
    return version_of("delay", number, build_model(2.0, features, fitted, metadata), features)


@pytest.fixture
def models(serve: Callable[..., ServedModel], models: ServedModels) -> ServedModels:
    models.swap(serve(explainable(4), revision=2))
    return models


def outputs(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    found = {each["name"]: each for each in answer.json()["outputs"]}
    assert all(len(each["data"]) == np.prod(each["shape"]) for name, each in found.items() if "." in name[:6])
    return found


@pytest.mark.medium
async def test_the_values_of_a_row_add_up_to_its_score(client: httpx.AsyncClient, topic: LogTopic) -> None:
    found = outputs(await client.post(EXPLAIN, json=BODY | {"parameters": {"pairs": 3}}))
    shapley, base = found["score.shapley"], found["score.base"]
    assert (shapley["shape"], shapley["parameters"]["features"]) == ([2, 4], [*FEATURES])
    # The score is twice the distance, and the mean distance of the background is 2.
    assert base["data"] == [4.0, 4.0]
    assert shapley["data"] == [-1.0, 0.0, 0.0, 0.0, 2.0, 0.0, 0.0, 0.0]
    assert (found["rondo.id"]["data"], found["rondo.model_version"]["data"]) == (["r/0", "r/1"], ["4", "4"])
    assert not topic.batches, "an explanation is no prediction"


@pytest.mark.medium
async def test_each_probability_is_explained(
    client: httpx.AsyncClient, models: ServedModels, serve: Callable[..., ServedModel]
) -> None:
    models.swap(serve(explainable(5, MULTICLASS), revision=3))
    found = outputs(await client.post(EXPLAIN, json=BODY | {"parameters": {"pairs": 3}}))
    shapley = found["probabilities.shapley"]
    assert (shapley["shape"], shapley["parameters"]["labels"]) == ([2, 4, 3], list(MULTICLASS.labels))
    # For the kth of three labels the model gives k thirds of twice the distance.
    thirds = np.array([1, 2, 3]) / 3
    distance, *others = np.reshape(shapley["data"], (2, 4, 3))[0]
    assert distance == pytest.approx(thirds * 2 * (1.5 - 2), abs=0.1)
    assert np.abs(others).max() == 0
    assert found["probabilities.base"]["data"][:3] == pytest.approx(thirds * 4, abs=0.1)


@pytest.mark.medium
async def test_versions_with_other_features_explain_their_own(client: httpx.AsyncClient, models: ServedModels) -> None:
    of_5 = {"wind": Feature(type="float")} | {name: each for name, each in FEATURES.items() if name != "seats"}
    versions, common = with_common_requests((explainable(5, features=of_5), explainable(4)))
    models.swap(ServedModel("delay", 3, versions, (0.5, 0.5), common=common))
    inputs = [tensor(name, kind, *[value] * 20) for name, kind, value in (
        ("distance", "FP32", 3.0), ("night", "BOOL", True), ("wind", "FP32", 4.0),
    )]  # fmt: skip
    found = outputs(await client.post(EXPLAIN, json={"inputs": inputs, "parameters": {"pairs": 3}}))
    features = found["score.shapley"]["parameters"]["features"]
    assert sorted(features) == sorted([*FEATURES, "wind"])
    # Version 4 scores twice the distance, and version 5 twice the wind. The background has means of 2 and 1.
    wanted = {"4": {"distance": 2.0}, "5": {"wind": 6.0}}
    versions_of_rows = found["rondo.model_version"]["data"]
    assert set(versions_of_rows) == set(wanted)
    values = np.reshape(found["score.shapley"]["data"], (20, len(features)))
    for version, row in zip(versions_of_rows, values.tolist(), strict=True):
        assert {name: value for name, value in zip(features, row, strict=True) if value} == wanted[version]


@pytest.mark.medium
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


@pytest.mark.medium
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


@pytest.mark.medium
async def test_explanations_need_a_predictor(client: httpx.AsyncClient) -> None:
    assert (await client.post(EXPLAIN, json=BODY, headers=bearer(Role.READER))).status_code == 403


@pytest.mark.medium
async def test_a_request_gets_the_outputs_that_it_asks_for(client: httpx.AsyncClient) -> None:
    asked = [{"name": "score.shapley"}, {"name": "rondo.id"}]
    found = outputs(await client.post(EXPLAIN, json=BODY | {"outputs": asked}))
    assert list(found) == ["score.shapley", "rondo.id"]
    refused = await client.post(EXPLAIN, json=BODY | {"outputs": [{"name": "score"}]})
    assert (refused.status_code, refused.json()["code"]) == (400, "unknown_output")


@pytest.mark.medium
async def test_the_values_are_exact_unless_pairs_are_asked_for(client: httpx.AsyncClient) -> None:
    exact = await client.post(EXPLAIN, json=BODY)
    sampled = await client.post(EXPLAIN, json=BODY | {"parameters": {"pairs": 3}})
    assert [each.json()["parameters"]["method"] for each in (exact, sampled)] == ["exact", "sampled"]
    found = outputs(exact)
    assert found["score.shapley"]["data"] == [-1.0, 0.0, 0.0, 0.0, 2.0, 0.0, 0.0, 0.0]
    assert found["score.standard_error"]["data"] == [0.0] * 8
    document = (await client.get("/openapi.json")).json()["paths"]["/v2/models/{model}/explain"]["post"]
    jsonschema.validate(exact.json(), document["responses"]["200"]["content"]["application/json"]["schema"])


@pytest.mark.parametrize(("count", "method"), [(15, "exact"), (16, "sampled")])
@pytest.mark.medium
async def test_a_model_of_many_features_is_sampled(
    client: httpx.AsyncClient, models: ServedModels, serve: Callable[..., ServedModel], count: int, method: str
) -> None:
    # Three rows of the background and 15 features give 98,304 evaluations. Up to 110,000 an explanation is exact by
    # default.
    features = {f"f{number}": Feature(type="float") for number in range(count)}
    background = json.dumps({name: [0.0, 1.0, 2.0] for name in features})
    metadata = {FittedTask.METADATA: BINARY.model_dump_json(), BACKGROUND: background}
    version = version_of("delay", 7, build_model(2.0, features, BINARY, metadata), features)
    models.swap(serve(version, revision=5))
    answer = await client.post(EXPLAIN, json={"inputs": [tensor(name, "FP32", 3.0) for name in features]})
    assert answer.json()["parameters"] == {"method": method}
    assert outputs(answer)["score.shapley"]["data"] == pytest.approx([4.0, *[0.0] * (count - 1)], abs=0.1)


@pytest.mark.parametrize(
    ("treatment", "status", "warned"),
    [
        (UnknownFields.REFUSE, 400, []),
        (UnknownFields.WARN, 200, ["pears", "deepness"]),
        (UnknownFields.IGNORE, 200, ["pears"]),
    ],
)
async def test_an_unknown_parameter_is_treated_as_an_unknown_tensor(
    client: httpx.AsyncClient,
    models: ServedModels,
    serve: Callable[..., ServedModel],
    treatment: UnknownFields,
    status: int,
    warned: list[str],
) -> None:
    models.swap(serve(explainable(4).answering(treatment), revision=3))
    sent = BODY | {"parameters": {"pears": 3, "deepness": 1, "timeout": 1_000_000}}
    answer = await client.post(EXPLAIN, json=sent)
    found = answer.json()
    assert answer.status_code == status
    if warned:
        warnings = found["parameters"]["warnings"].splitlines()
        assert [name for name in ("pears", "deepness", "timeout") for each in warnings if f"'{name}'" in each] == warned
    else:
        assert (found["code"], found["nearest"]) == ("unknown_parameter", "pairs")
        assert all(
            fact in found["error"] for fact in ("an explanation has no parameter 'pears'", "did you mean `pairs`?")
        )


async def test_an_unknown_tensor_of_an_explanation_is_warned_of(
    client: httpx.AsyncClient, models: ServedModels, serve: Callable[..., ServedModel]
) -> None:
    models.swap(serve(explainable(4).answering(UnknownFields.WARN), revision=3))
    answer = await client.post(EXPLAIN, json={"inputs": [DISTANCE, NIGHT, DISTANCE | {"name": "distanse"}]})
    assert "'distanse'" in answer.json()["parameters"]["warnings"]
