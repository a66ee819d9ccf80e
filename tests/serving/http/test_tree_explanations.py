"""Explanations over HTTP of models of trees: of their answers, and of their margins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jsonschema
import numpy as np
import pytest
from rondo.serving.models.loaded_version import ServedModel

from tests.serving.explanations.trees.trained import CATEGORIES, FEATURES, PREPARATIONS, drawn, loaded, trained
from tests.serving.http.inference_api import INFER, tensor

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx
    from rondo.serving.models.loaded_version import LoadedVersion
    from rondo.serving.models.serving_table import ServedModels

pytestmark = pytest.mark.medium
EXPLAIN, MARGIN = "/v2/models/delay/explain", {"parameters": {"output": "margin"}}
COUNT = 6


def inputs() -> list[dict[str, Any]]:
    columns = drawn(COUNT, 3)
    return [
        tensor(name, "BYTES", *columns[name].tolist())
        if name in CATEGORIES
        else tensor(name, "FP32", *(None if np.isnan(value) else float(value) for value in columns[name]))
        for name in FEATURES
    ]


@pytest.fixture
def serve_trees(
    models: ServedModels, serve: Callable[..., ServedModel], artifacts: dict[str, bytes]
) -> Callable[[str, str], LoadedVersion]:
    def serve_trees(library: str, kind: str) -> LoadedVersion:
        content = trained(library, kind, PREPARATIONS["one hot"])
        version = loaded(content, "delay", 8)
        artifacts[version.digest] = content
        models.swap(serve(version, revision=9))
        return version

    return serve_trees


async def explained(client: httpx.AsyncClient, **more: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the parameters and the outputs of an explanation, which has the documented form."""
    answer = await client.post(EXPLAIN, json={"inputs": inputs(), **more})
    assert answer.status_code == 200, answer.text
    document = (await client.get("/openapi.json")).json()["paths"]["/v2/models/{model}/explain"]["post"]
    jsonschema.validate(answer.json(), document["responses"]["200"]["content"]["application/json"]["schema"])
    found = answer.json()
    return found["parameters"], {each["name"]: np.reshape(each["data"], each["shape"]) for each in found["outputs"]}


async def predicted(client: httpx.AsyncClient, name: str) -> Any:
    found = (await client.post(INFER, json={"inputs": inputs()})).json()["outputs"]
    return next(np.array(each["data"]) for each in found if each["name"] == name)


async def test_the_answer_of_a_sum_of_trees_is_explained_by_them(
    client: httpx.AsyncClient, serve_trees: Callable[..., LoadedVersion]
) -> None:
    serve_trees("lightgbm", "number")
    parameters, found = await explained(client)
    assert parameters == {"method": "tree"}
    answers = await predicted(client, "value")
    assert found["value.base"][:, 0] + found["value.shapley"].sum(axis=1) == pytest.approx(answers, abs=1e-5)
    assert not found["value.standard_error"].any()
    sampled, others = await explained(client, parameters={"pairs": 200})
    assert sampled == {"method": "sampled"}
    off = np.abs(others["value.shapley"] - found["value.shapley"])
    assert (off <= 4.5 * others["value.standard_error"] + 1e-4).all()


async def test_a_probability_of_boosted_trees_is_explained_by_all_sets_and_its_margin_by_the_trees(
    client: httpx.AsyncClient, serve_trees: Callable[..., LoadedVersion]
) -> None:
    serve_trees("xgboost", "probability")
    answers = await predicted(client, "score")
    parameters, found = await explained(client)
    assert parameters == {"method": "exact"}
    assert found["score.base"][:, 0] + found["score.shapley"].sum(axis=1) == pytest.approx(answers, abs=1e-5)
    parameters, found = await explained(client, **MARGIN)
    assert parameters == {"method": "tree", "output": "margin"}
    margins = np.log(answers / (1 - answers))
    assert found["score.base"][:, 0] + found["score.shapley"].sum(axis=1) == pytest.approx(margins, abs=1e-4)


async def test_the_margin_of_each_class_is_explained(
    client: httpx.AsyncClient, serve_trees: Callable[..., LoadedVersion]
) -> None:
    serve_trees("lightgbm", "probabilities")
    answers = (await predicted(client, "probabilities")).reshape(COUNT, 3)
    _, found = await explained(client, **MARGIN)
    margins = found["probabilities.base"] + found["probabilities.shapley"].sum(axis=1)
    powers = np.exp(margins)
    assert powers / powers.sum(axis=1, keepdims=True) == pytest.approx(answers, abs=1e-5)


async def test_versions_of_a_rollout_have_the_same_method(
    client: httpx.AsyncClient, models: ServedModels, serve_trees: Callable[..., LoadedVersion]
) -> None:
    trees = serve_trees("lightgbm", "number")
    # The artifact of the other version can't be read.
    other = loaded(trained("xgboost", "number", PREPARATIONS["hash"]), "delay", 9)
    models.swap(ServedModel("delay", 10, (trees, other), (0.5, 0.5)))
    parameters, found = await explained(client)
    assert parameters == {"method": "exact"}
    assert found["value.shapley"].shape == (COUNT, len(FEATURES))
    parameters, _ = await explained_by(client, "8")
    assert parameters == {"method": "tree"}
    refused = await client.post(EXPLAIN, json={"inputs": inputs(), **MARGIN})
    assert (refused.status_code, refused.json()["code"]) == (409, "unexplainable")
    assert "version 9 of delay" in refused.json()["detail"]


async def explained_by(client: httpx.AsyncClient, version: str) -> tuple[dict[str, Any], Any]:
    answer = await client.post(f"/v2/models/delay/versions/{version}/explain", json={"inputs": inputs()})
    return answer.json()["parameters"], answer.json()
