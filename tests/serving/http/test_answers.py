"""An answer over HTTP is logged, counted and traced as one over Kafka."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import REGISTRY
from rondo.contracts.events import logs

from tests.serving.http.inference_api import DISTANCE, INFER, NIGHT, LogTopic, tensor

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
    from rondo.serving.models.loaded_version import LoadedVersion, ServedModel
    from rondo.serving.models.serving_table import ServedModels


async def test_rows_are_scored_and_logged(client: httpx.AsyncClient, topic: LogTopic) -> None:
    inputs = [DISTANCE, NIGHT, tensor("rondo.entity", "BYTES", "N1", None), tensor("carrier", "BYTES", "AA", "")]
    response = await client.post(INFER, json={"id": "q", "inputs": inputs})
    assert response.json() == {
        "model_name": "delay", "model_version": "3", "id": "q",
        "outputs": [
            {"name": "score", "shape": [2, 1], "datatype": "FP32", "data": [3.0, 6.0]},
            {"name": "rondo.id", "shape": [2, 1], "datatype": "BYTES", "data": ["q/0", "q/1"]},
            {"name": "rondo.model_version", "shape": [2, 1], "datatype": "BYTES", "data": ["3", "3"]},
        ],
    }  # fmt: skip
    (batch,) = topic.batches
    assert [(r["id"], r["entity"], r["feature.carrier"], r["output.score"]) for r in batch.to_pylist()] == [
        ("q/0", "N1", "AA", 3.0), ("q/1", None, None, 6.0),
    ]  # fmt: skip


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


def total(outcome: str, version: str = "") -> float:
    labels = {"model": "delay" if version else "", "version": version, "outcome": outcome}
    return REGISTRY.get_sample_value("rondo_predictions_total", labels) or 0.0


async def test_http_requests_are_counted_as_kafka_requests(client: httpx.AsyncClient, topic: LogTopic) -> None:
    before = total("answered", "3"), total("missing_feature"), total("unavailable")
    await client.post(INFER, json={"inputs": [DISTANCE, NIGHT]})
    await client.post(INFER, json={"inputs": [DISTANCE]})
    topic.unavailable = True
    await client.post(INFER, json={"inputs": [DISTANCE, NIGHT]})
    after = total("answered", "3"), total("missing_feature"), total("unavailable")
    assert [now - then for now, then in zip(after, before, strict=True)] == [2, 1, 1]


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


async def test_an_answer_that_cannot_be_logged_is_not_given(client: httpx.AsyncClient, topic: LogTopic) -> None:
    topic.unavailable = True
    response = await client.post(INFER, json={"inputs": [DISTANCE, NIGHT]})
    assert (response.status_code, "retry-after" in response.headers) == (503, True)
    assert "the inference log is not available" in response.json()["error"]
    topic.unavailable = False
    assert (await client.post(INFER, json={"inputs": [DISTANCE, NIGHT]})).status_code == 200
    assert len(topic.batches) == 1
