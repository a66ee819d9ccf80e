"""An answer over HTTP is logged, counted and traced as one over Kafka."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
from prometheus_client import REGISTRY
from rondo.contracts.events import logs
from rondo.contracts.vocabularies import UnknownFields

from tests.serving.builders import BINARY, CLASSES, INTERVAL, MULTICLASS, NUMBERED, REGRESSION, TEXTS
from tests.serving.http.inference_api import DISTANCE, INFER, NIGHT, LogTopic, tensor

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
    from rondo.contracts.tasks.base import FittedTask
    from rondo.serving.models.loaded_version import LoadedVersion, ServedModel
    from rondo.serving.models.serving_table import ServedModels


@pytest.mark.medium
async def test_rows_are_scored_and_logged(client: httpx.AsyncClient, topic: LogTopic) -> None:
    inputs = [DISTANCE, NIGHT, tensor("rondo.entity", "BYTES", "N1", None), tensor("carrier", "BYTES", "AA", "")]
    response = await client.post(INFER, json={"id": "q", "inputs": inputs})
    assert response.json() == {
        "model_name": "delay", "model_version": "3", "id": "q",
        "outputs": [
            {"name": "score", "shape": [2, 1], "datatype": "FP32", "data": [3.0, 6.0]},
            {"name": "label", "shape": [2, 1], "datatype": "INT64", "data": [0, 1]},
            {"name": "rondo.id", "shape": [2, 1], "datatype": "BYTES", "data": ["q/0", "q/1"]},
            {"name": "rondo.model_version", "shape": [2, 1], "datatype": "BYTES", "data": ["3", "3"]},
        ],
    }  # fmt: skip
    (batch,) = topic.batches
    assert [(r["id"], r["entity"], r["feature.carrier"], r["output.score"]) for r in batch.to_pylist()] == [
        ("q/0", "N1", "AA", 3.0), ("q/1", None, None, 6.0),
    ]  # fmt: skip


@pytest.mark.medium
async def test_each_row_is_answered_by_the_version_that_its_key_meets(
    client: httpx.AsyncClient,
    models: ServedModels,
    version: Callable[..., LoadedVersion],
    serve: Callable[..., ServedModel],
    topic: LogTopic,
) -> None:
    serving = serve(version(1), version(2, 10.0), shares=(0.5, 0.5))
    models.swap(serving)
    entities = [f"N{number}" for number in range(40)]
    expected = [serving.version_for(entity).model_version for entity in entities]
    assert set(expected) == {1, 2}
    inputs = [
        tensor("distance", "FP32", *range(40)), tensor("night", "BOOL", *[False] * 40),
        tensor("rondo.entity", "BYTES", *entities),
    ]  # fmt: skip
    answer = (await client.post(INFER, json={"inputs": inputs})).json()
    outputs = {output["name"]: output["data"] for output in answer["outputs"]}
    assert outputs["rondo.model_version"] == [str(number) for number in expected]
    assert outputs["score"] == [n * (1.0 if number == 1 else 10.0) for n, number in enumerate(expected)]
    assert "model_version" not in answer
    logged = {
        row["entity"]: logs.metadata(batch)["model_version"] for batch in topic.batches for row in batch.to_pylist()
    }
    assert logged == dict(zip(entities, outputs["rondo.model_version"], strict=True))
    one = (await client.post("/v2/models/delay/versions/2/infer", json={"inputs": inputs})).json()
    assert one["model_version"] == "2"


@pytest.mark.parametrize(
    ("fitted", "expected"),
    [
        (BINARY, [("score", "FP32", [3.0, 6.0]), ("label", "INT64", [0, 1])]),
        (TEXTS, [("score", "FP32", [3.0, 6.0]), ("label", "BYTES", ["on time", "verspätet"])]),
        (
            MULTICLASS,
            [
                ("label", "BYTES", [CLASSES[2], CLASSES[2]]), ("score", "FP32", [3.0, 6.0]),
                ("probabilities", "FP32", [1.0, 2.0, 3.0, 2.0, 4.0, 6.0]),
            ],
        ),
        (
            NUMBERED,
            [
                ("label", "INT64", [7, 7]), ("score", "FP32", [3.0, 6.0]),
                ("probabilities", "FP32", [1.5, 3.0, 3.0, 6.0]),
            ],
        ),
        (REGRESSION, [("value", "FP32", [3.0, 6.0])]),
        (INTERVAL, [("value", "FP32", [3.0, 6.0]), ("low", "FP32", [0.5, 3.5]), ("high", "FP32", [5.5, 8.5])]),
    ],
    ids=["zero and one", "texts", "classes", "numbers", "value", "interval"],
)  # fmt: skip
@pytest.mark.medium
async def test_the_outputs_of_every_task(
    client: httpx.AsyncClient,
    models: ServedModels,
    version: Callable[..., LoadedVersion],
    serve: Callable[..., ServedModel],
    fitted: FittedTask,
    expected: list[tuple[str, str, list[Any]]],
) -> None:
    models.swap(serve(version(4, 2.0, fitted=fitted)))
    described = (await client.get("/v2/models/delay")).json()["outputs"]
    answer = (await client.post(INFER, json={"id": "q", "inputs": [DISTANCE, NIGHT]})).json()
    labels = [int(label) if fitted.numbers else label for label in fitted.labels]
    more = [("rondo.id", "BYTES", ["q/0", "q/1"]), ("rondo.model_version", "BYTES", ["4", "4"])]
    for found, tensor_of, (name, datatype, data) in zip(answer["outputs"], described, [*expected, *more], strict=True):
        width = len(fitted.labels) if name == "probabilities" else 1
        about = {"name": name, "datatype": datatype}
        labelled = {"parameters": {"labels": labels}} if name == "probabilities" else {}
        assert found == about | labelled | {"shape": [2, width], "data": data}
        assert {key: each for key, each in tensor_of.items() if key != "parameters"} == about | {"shape": [-1, width]}
    last = expected[-1][0]
    only = await client.post(INFER, json={"inputs": [DISTANCE, NIGHT], "outputs": [{"name": last}]})
    assert [each["name"] for each in only.json()["outputs"]] == [last]
    document = (await client.get("/openapi.json")).json()["paths"]
    for path, method, content in (
        ("", "get", {"outputs": described}),
        ("/infer", "post", {"outputs": answer["outputs"]}),
    ):
        schema = document[f"/v2/models/{{model}}{path}"][method]["responses"]["200"]["content"]["application/json"]
        jsonschema.validate(content, {"properties": {"outputs": schema["schema"]["properties"]["outputs"]}})


@pytest.mark.medium
@pytest.mark.parametrize(
    ("fitted", "meanings"),
    [
        (BINARY, {"score": {"label": 1}, "label": {"values": [0, 1]}}),
        (TEXTS, {"score": {"label": "verspätet"}, "label": {"values": ["on time", "verspätet"]}}),
        (MULTICLASS, {"label": {"values": [*CLASSES]}, "probabilities": {"labels": [*CLASSES]}}),
        (NUMBERED, {"label": {"values": [-1, 7]}, "probabilities": {"labels": [-1, 7]}}),
        (REGRESSION, {}),
        (INTERVAL, {"low": {"coverage": 0.9}, "high": {"coverage": 0.9}}),
    ],
    ids=["zero and one", "texts", "classes", "numbers", "value", "interval"],
)
async def test_the_metadata_say_what_the_values_of_an_output_mean(
    client: httpx.AsyncClient,
    models: ServedModels,
    version: Callable[..., LoadedVersion],
    serve: Callable[..., ServedModel],
    fitted: FittedTask,
    meanings: dict[str, Any],
) -> None:
    models.swap(serve(version(4, fitted=fitted)))
    described = (await client.get("/v2/models/delay")).json()["outputs"]
    assert {each["name"]: each["parameters"] for each in described if "parameters" in each} == meanings


@pytest.mark.medium
async def test_an_output_of_another_task_is_refused(
    client: httpx.AsyncClient,
    models: ServedModels,
    version: Callable[..., LoadedVersion],
    serve: Callable[..., ServedModel],
) -> None:
    models.swap(serve(version(4, fitted=REGRESSION)))
    response = await client.post(INFER, json={"inputs": [DISTANCE, NIGHT], "outputs": [{"name": "score"}]})
    assert (response.status_code, response.json()["code"]) == (400, "unknown_output")
    assert "value, rondo.id" in response.json()["error"]


@pytest.mark.medium
async def test_rows_of_two_versions_have_their_own_labels_and_probabilities(
    client: httpx.AsyncClient,
    models: ServedModels,
    version: Callable[..., LoadedVersion],
    serve: Callable[..., ServedModel],
) -> None:
    models.swap(serve(*(version(n, f, fitted=MULTICLASS) for n, f in ((1, 1.0), (2, -3.0))), shares=(0.5, 0.5)))
    inputs = [
        tensor("distance", "FP32", *range(1, 41)), tensor("night", "BOOL", *[False] * 40),
        tensor("rondo.entity", "BYTES", *(f"N{number}" for number in range(40))),
    ]  # fmt: skip
    answer = (await client.post(INFER, json={"inputs": inputs})).json()
    outputs = {output["name"]: output["data"] for output in answer["outputs"]}
    assert set(outputs["rondo.model_version"]) == {"1", "2"}
    for row, number in enumerate(outputs["rondo.model_version"]):
        distance = float(row + 1)
        expected = [distance, distance / 3] if number == "1" else [-distance, -distance]
        assert outputs["label"][row] == CLASSES[2 if number == "1" else 0]
        assert [outputs["score"][row], outputs["probabilities"][3 * row]] == pytest.approx(expected)


def total(outcome: str, version: str = "") -> float:
    labels = {"model": "delay" if version else "", "version": version, "outcome": outcome}
    return REGISTRY.get_sample_value("rondo_predictions_total", labels) or 0.0


@pytest.mark.medium
async def test_http_requests_are_counted_as_kafka_requests(client: httpx.AsyncClient, topic: LogTopic) -> None:
    before = total("answered", "3"), total("missing_feature"), total("unavailable")
    await client.post(INFER, json={"inputs": [DISTANCE, NIGHT]})
    await client.post(INFER, json={"inputs": [DISTANCE]})
    topic.unavailable = True
    await client.post(INFER, json={"inputs": [DISTANCE, NIGHT]})
    after = total("answered", "3"), total("missing_feature"), total("unavailable")
    assert [now - then for now, then in zip(after, before, strict=True)] == [2, 1, 1]


@pytest.mark.medium
async def test_an_inference_is_a_span_of_the_callers_trace(
    client: httpx.AsyncClient, spans: InMemorySpanExporter
) -> None:
    trace_id, parent = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    headers = {"traceparent": f"00-{trace_id}-{parent}-01"}
    await client.post(INFER, json={"inputs": [DISTANCE, NIGHT]}, headers=headers)
    (span,) = (each for each in spans.get_finished_spans() if each.name == "POST /v2/models/{model}/infer")
    assert span.parent is not None
    assert (f"{span.context.trace_id:032x}", f"{span.parent.span_id:016x}") == (trace_id, parent)
    assert dict(span.attributes or {}).items() >= {"model": "delay", "rows": 2}.items()
    (batch,) = (each for each in spans.get_finished_spans() if each.name == "infer")
    assert [link.context.span_id for link in batch.links] == [span.context.span_id]


@pytest.mark.medium
async def test_a_request_outside_of_a_trace_has_the_span_of_its_micro_batch_alone(
    client: httpx.AsyncClient, spans: InMemorySpanExporter
) -> None:
    await client.post(INFER, json={"inputs": [DISTANCE, NIGHT]})
    (batch,) = spans.get_finished_spans()
    assert (batch.name, batch.parent, dict(batch.attributes or {})) == (
        "infer", None, {"model": "delay", "requests": 1, "rows": 2},
    )  # fmt: skip


@pytest.mark.medium
async def test_an_answer_that_cannot_be_logged_is_not_given(client: httpx.AsyncClient, topic: LogTopic) -> None:
    topic.unavailable = True
    response = await client.post(INFER, json={"inputs": [DISTANCE, NIGHT]})
    assert (response.status_code, response.json()["code"]) == (503, "unavailable")
    assert "retry-after" in response.headers
    again = "the request may be in the inference log all the same: send it again once /readyz answers 200"
    assert response.json()["error"] == f"the inference log is not available (Kafka sleeps); {again}"
    topic.unavailable = False
    assert (await client.post(INFER, json={"inputs": [DISTANCE, NIGHT]})).status_code == 200
    assert len(topic.batches) == 1


@pytest.mark.medium
@pytest.mark.parametrize(
    ("unknown", "name", "warned"),
    [("warn", "distanse", True), ("warn", "rondo.entty", True), ("ignore", "rondo.entty", True),
     ("ignore", "distanse", False), ("ignore", "more", False)],
)  # fmt: skip
async def test_a_tensor_that_is_ignored_is_named_in_the_parameters_of_the_response(
    client: httpx.AsyncClient,
    models: ServedModels,
    version: Callable[..., LoadedVersion],
    serve: Callable[..., ServedModel],
    unknown: str,
    name: str,
    warned: bool,  # noqa: FBT001
) -> None:
    models.swap(serve(version(3).answering(UnknownFields(unknown))))
    answer = (await client.post(INFER, json={"inputs": [DISTANCE, NIGHT, tensor(name, "BYTES", "a", "b")]})).json()
    assert (answer["model_version"], name in answer.get("parameters", {}).get("warnings", "")) == ("3", warned)
    assert "parameters" not in (await client.post(INFER, json={"inputs": [DISTANCE, NIGHT]})).json()


@pytest.mark.medium
async def test_a_repeated_row_is_answered_by_the_cache_and_logged(
    client: httpx.AsyncClient, models: ServedModels, topic: LogTopic
) -> None:
    models.table.find("delay").versions[0].cache.capacity = 10
    labels = {"model": "delay", "result": "hit"}
    before = REGISTRY.get_sample_value("rondo_answer_cache_rows_total", labels) or 0
    answers = [await client.post(INFER, json={"id": f"q{n}", "inputs": [DISTANCE, NIGHT]}) for n in range(2)]
    assert [each.json()["outputs"][0]["data"] for each in answers] == [[3.0, 6.0]] * 2
    assert REGISTRY.get_sample_value("rondo_answer_cache_rows_total", labels) == before + 2
    logged = [(row["id"], row["output.score"]) for batch in topic.batches for row in batch.to_pylist()]
    assert logged == [("q0/0", 3.0), ("q0/1", 6.0), ("q1/0", 3.0), ("q1/1", 6.0)]
