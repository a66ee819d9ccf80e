"""The Open Inference Protocol over gRPC gives the answers of HTTP, and errors for invalid requests."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import grpc
import numpy as np
import pytest
from rondo.contracts.access_tokens import Role
from rondo.contracts.vocabularies import UnknownFields
from rondo.serving.errors import LogUnavailableError
from rondo.serving.inference import batcher
from rondo.serving.models.loaded_version import ServedModel
from rondo.serving.open_inference import binary

from tests.serving.builders import BINARY, INTERVAL, MULTICLASS, REGRESSION, TEXTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from rondo.contracts.tasks.base import FittedTask
    from rondo.serving.models.loaded_version import LoadedVersion
    from rondo.serving.models.serving_table import ServedModels

    from tests.serving.grpc.conftest import Client
    from tests.serving.http.inference_api import LogTopic

DISTANCE = {"name": "distance", "datatype": "FP32", "shape": [2, 1], "contents": {"fp32_contents": [1.5, 3]}}
NIGHT = {"name": "night", "datatype": "BOOL", "shape": [2, 1], "contents": {"bool_contents": [True, False]}}
TYPED = {"model_name": "delay", "inputs": [DISTANCE, NIGHT]}
RAW = [np.array([1.5, 3], "<f4").tobytes(), b"\x01\x00"]


def without_contents(*tensors: dict[str, Any]) -> list[dict[str, Any]]:
    return [{key: value for key, value in tensor.items() if key != "contents"} for tensor in tensors]


BARE = without_contents(DISTANCE, NIGHT)


async def test_typed_contents_are_answered_in_typed_contents(client: Client, topic: LogTopic) -> None:
    answer = await client.call("ModelInfer", **TYPED, id="r")
    assert (answer.model_name, answer.model_version, answer.id) == ("delay", "3", "r")
    found = {each.name: each for each in answer.outputs}
    assert list(found["score"].contents.fp32_contents) == [3.0, 6.0]
    assert list(found["label"].contents.int64_contents) == [0, 1]
    assert list(found["rondo.id"].contents.bytes_contents) == [b"r/0", b"r/1"]
    assert (list(found["score"].shape), not answer.raw_output_contents) == ([2, 1], True)
    (batch,) = topic.batches
    assert batch.column("id").to_pylist() == ["r/0", "r/1"]


async def test_raw_contents_are_answered_in_raw_contents(client: Client) -> None:
    sent = {"model_name": "delay", "inputs": BARE, "raw_input_contents": RAW}
    answer = await client.call("ModelInfer", **sent, outputs=[{"name": "score"}, {"name": "rondo.model_version"}])
    assert [each.name for each in answer.outputs] == ["score", "rondo.model_version"]
    score, versions = answer.raw_output_contents
    assert np.frombuffer(score, "<f4").tolist() == [3.0, 6.0]
    assert binary.decode("versions", "BYTES", [2], versions) == ["3", "3"]


async def test_values_in_two_forms_are_refused(client: Client) -> None:
    _, _, message = await client.refused("ModelInfer", **TYPED, raw_input_contents=RAW)
    assert (
        message
        == "the feature `distance` has contents, and raw_input_contents beside them: send its values in one form"
    )


async def test_a_nan_is_a_missing_value(client: Client) -> None:
    seats = {"name": "seats", "datatype": "FP32", "shape": [2], "contents": {"fp32_contents": [float("nan"), 2]}}
    assert await client.call("ModelInfer", model_name="delay", inputs=[DISTANCE, NIGHT, seats])
    distance = DISTANCE | {"contents": {"fp32_contents": [float("nan"), 3]}}
    status, code, message = await client.refused("ModelInfer", model_name="delay", inputs=[distance, NIGHT])
    assert (status, code) == ("INVALID_ARGUMENT", "missing_feature")
    assert "row 0" in message


async def test_the_probabilities_name_their_labels(
    client: Client, models: ServedModels, version: Callable[..., LoadedVersion], serve: Callable[..., ServedModel]
) -> None:
    models.swap(serve(version(4, 2.0, fitted=MULTICLASS), revision=2))
    answer = await client.call("ModelInfer", **TYPED, outputs=[{"name": "probabilities"}, {"name": "label"}])
    probabilities, label = answer.outputs
    assert list(probabilities.shape) == [2, 3]
    assert probabilities.parameters["labels"].string_param == '["score","Übergröße","a \\"b\\"\\\\"]'
    assert len(label.contents.bytes_contents) == 2


async def test_labels_that_are_texts_are_bytes(
    client: Client, models: ServedModels, version: Callable[..., LoadedVersion], serve: Callable[..., ServedModel]
) -> None:
    models.swap(serve(version(4, 2.0, fitted=TEXTS), revision=2))
    sent = {"model_name": "delay", "inputs": BARE, "raw_input_contents": RAW}
    answer = await client.call("ModelInfer", **sent, outputs=[{"name": "label"}])
    assert binary.decode("label", "BYTES", [2], answer.raw_output_contents[0]) == ["on time", "verspätet"]


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"model_name": "unknown"}, "NOT_FOUND", "unknown_model"),
        ({"model_version": "9"}, "NOT_FOUND", "unknown_version"),
        ({"inputs": [DISTANCE]}, "INVALID_ARGUMENT", "missing_feature"),
        ({"inputs": [DISTANCE, NIGHT, DISTANCE]}, "INVALID_ARGUMENT", "duplicate_input"),
        ({"inputs": [DISTANCE, NIGHT | {"datatype": "FP32"}]}, "INVALID_ARGUMENT", "wrong_type"),
        ({"inputs": [DISTANCE | {"shape": [2, 2]}, NIGHT]}, "INVALID_ARGUMENT", "bad_shape"),
        ({"inputs": [DISTANCE | {"shape": [1]}, NIGHT]}, "INVALID_ARGUMENT", "bad_shape"),
        ({"inputs": [DISTANCE | {"datatype": "BF16"}, NIGHT]}, "INVALID_ARGUMENT", "wrong_type"),
        ({"outputs": [{"name": "other"}]}, "INVALID_ARGUMENT", "unknown_output"),
        ({"id": "x" * 300}, "INVALID_ARGUMENT", "bad_id"),
        ({"raw_input_contents": RAW[:1]}, "INVALID_ARGUMENT", "bad_request"),
        ({"raw_input_contents": RAW}, "INVALID_ARGUMENT", "bad_request"),
        ({"inputs": BARE, "raw_input_contents": [RAW[0], b""]}, "INVALID_ARGUMENT", "bad_shape"),
    ],
)
async def test_a_refusal_has_a_code_and_a_message(
    client: Client, topic: LogTopic, changes: dict[str, Any], status: str, code: str
) -> None:
    found, named, message = await client.refused("ModelInfer", **TYPED | changes)
    assert (found, named) == (status, code)
    assert len(message) > 20
    assert not topic.batches


async def test_a_shape_of_another_number_of_rows_is_compared_with_the_other_inputs(client: Client) -> None:
    sent = TYPED | {"inputs": [DISTANCE | {"shape": [1, 2]}, NIGHT]}
    _, code, message = await client.refused("ModelInfer", **sent)
    assert code == "bad_shape"
    assert all(fact in message for fact in ("`distance` has shape [1, 2] and 2 values", "send shape [2, 1]", "`night`"))


@pytest.mark.slow
@pytest.mark.parametrize("field", [b"\x2a", b"\x32"], ids=["inputs", "outputs"])
async def test_a_message_of_millions_of_empty_tensors_is_refused_at_once(client: Client, field: bytes) -> None:
    began = time.thread_time()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await client.send(
            "/inference.GRPCInferenceService/ModelInfer", b"\x0a\x05delay" + (field + b"\x00") * 4_000_000
        )
    assert dict(caught.value.trailing_metadata())["rondo-code"] == "too_large"
    wanted = "there are 4,000,000 tensors: send one for each feature, with all rows, and 100,000 at most"
    assert caught.value.details() == wanted
    assert time.thread_time() - began < 2


async def test_a_text_has_to_be_utf_8(client: Client) -> None:
    carrier = {"name": "carrier", "datatype": "BYTES", "shape": [2], "contents": {"bytes_contents": [b"AA", b"\xff"]}}
    found = await client.refused("ModelInfer", model_name="delay", inputs=[DISTANCE, NIGHT, carrier])
    assert found[:2] == ("INVALID_ARGUMENT", "bad_encoding")
    assert "carrier" in found[2]


async def test_bytes_that_are_no_message_are_refused(client: Client) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await client.send("/inference.GRPCInferenceService/ModelInfer", b"\xff\xff")
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert "compile it from the Open Inference Protocol's .proto file" in (caught.value.details() or "")


async def test_without_kafka_a_call_may_be_repeated(client: Client, topic: LogTopic) -> None:
    topic.unavailable = True
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await client.call("ModelInfer", **TYPED)
    assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
    assert dict(caught.value.trailing_metadata())["retry-after"] == "2"
    assert (caught.value.details() or "").endswith(LogUnavailableError.ADVICE)


async def test_with_a_full_queue_a_call_may_be_repeated_when_those_that_wait_are_done(
    client: Client, topic: LogTopic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batcher, "MAX_REQUESTS", 0)
    monkeypatch.setattr(batcher.Batcher, "_retry_seconds", lambda _: 7)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await client.call("ModelInfer", **TYPED)
    trailers = dict(caught.value.trailing_metadata())
    assert (caught.value.code(), trailers["rondo-code"], trailers["retry-after"]) == (
        grpc.StatusCode.UNAVAILABLE, "overloaded", "7",
    )  # fmt: skip
    assert topic.batches == []


async def test_a_fault_of_ours_reveals_nothing(
    client: Client, topic: LogTopic, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(*_: object) -> None:
        raise RuntimeError("s3cret")

    monkeypatch.setattr(topic, "publish", fail)
    monkeypatch.setattr("rondo.serving.grpc.tensors.request", fail_at_once)
    status, code, message = await client.refused("ModelInfer", **TYPED)
    assert (status, code) == ("INTERNAL", "internal_error")
    assert "s3cret" not in message
    assert "s3cret" in caplog.text


def fail_at_once(_: object) -> None:
    raise RuntimeError("s3cret")


async def test_metadata_readiness_and_the_repository(client: Client, models: ServedModels, topic: LogTopic) -> None:
    metadata = await client.call("ModelMetadata", name="delay")
    assert (metadata.name, list(metadata.versions), metadata.platform) == ("delay", ["3"], "onnx_onnxruntime")
    (distance, *_) = metadata.inputs
    assert (distance.name, distance.datatype, list(distance.shape)) == ("distance", "FP32", [-1, 1])
    assert (await client.call("ModelReady", name="delay", version="3")).ready
    assert not (await client.call("ModelReady", name="delay", version="9")).ready
    assert "binary_tensor_data" in (await client.call("ServerMetadata")).extensions
    models.refuse("other", "lost")
    index = (await client.call("RepositoryIndex")).models
    assert [(each.name, each.version, each.state) for each in index] == [
        ("delay", "3", "READY"), ("other", "", "UNAVAILABLE"),
    ]  # fmt: skip
    assert index[1].reason == "lost"
    assert len((await client.call("RepositoryIndex", ready=True)).models) == 1
    assert (await client.call("ServerLive")).live
    assert (await client.call("ServerReady")).ready
    topic.unavailable = True
    assert not (await client.call("ServerReady")).ready


@pytest.mark.parametrize(
    ("fitted", "outputs"),
    [
        (BINARY, [("score", "FP32", 1), ("label", "INT64", 1)]),
        (MULTICLASS, [("label", "BYTES", 1), ("score", "FP32", 1), ("probabilities", "FP32", 3)]),
        (REGRESSION, [("value", "FP32", 1)]),
        (INTERVAL, [("value", "FP32", 1), ("low", "FP32", 1), ("high", "FP32", 1)]),
    ],
    ids=["binary", "multiclass", "regression", "interval"],
)
async def test_the_metadata_describe_the_outputs_of_every_task(
    client: Client,
    models: ServedModels,
    version: Callable[..., LoadedVersion],
    serve: Callable[..., ServedModel],
    fitted: FittedTask,
    outputs: list[tuple[str, str, int]],
) -> None:
    models.swap(replace(serve(version(4, fitted=fitted)), revision=2))
    described = (await client.call("ModelMetadata", name="delay")).outputs
    found = [(each.name, each.datatype, list(each.shape)) for each in described]
    every = [*outputs, ("rondo.id", "BYTES", 1), ("rondo.model_version", "BYTES", 1)]
    assert found == [(name, datatype, [-1, width]) for name, datatype, width in every]


@pytest.mark.parametrize("fields", [{"model_name": "delay"}, {"repository_name": "delay"}], ids=["triton", "kserve"])
async def test_a_client_can_confirm_what_is_loaded_and_not_change_it(client: Client, fields: dict[str, str]) -> None:
    assert (await client.call("RepositoryModelLoad", **fields)).isLoaded
    status, code, message = await client.refused("RepositoryModelUnload", Role.ADMIN, **fields)
    assert (status, code) == ("FAILED_PRECONDITION", "not_allowed")
    assert "stays loaded, for the registry decides what serves: `rondo remove delay`" in message
    refused = await client.refused("RepositoryModelLoad", **dict.fromkeys(fields, "other"))
    assert refused[:2] == ("NOT_FOUND", "unknown_model")


async def test_concurrent_calls_have_their_own_answers_and_are_logged_once(client: Client, topic: LogTopic) -> None:
    answers = await asyncio.gather(*(client.call("ModelInfer", **TYPED, id=f"r{number}") for number in range(40)))
    assert [each.id for each in answers] == [f"r{number}" for number in range(40)]
    logged = [name for batch in topic.batches for name in batch.column("id").to_pylist()]
    assert sorted(logged) == sorted(f"r{number}/{row}" for number in range(40) for row in range(2))


async def test_a_pinned_version_answers(
    client: Client, models: ServedModels, version: Callable[..., LoadedVersion], serve: Callable[..., ServedModel]
) -> None:
    both = serve(version(3, 2.0), version(4, 10.0), shares=(1.0, 0.0))
    models.swap(replace(both, revision=2))
    answer = await client.call("ModelInfer", **TYPED | {"model_version": "4"}, outputs=[{"name": "score"}])
    assert list(answer.outputs[0].contents.fp32_contents) == [15.0, 30.0]
    assert answer.model_version == "4"


@pytest.mark.parametrize("raw", [False, True])
async def test_a_tensor_that_is_ignored_is_named_in_the_parameters_of_the_response(
    client: Client,
    models: ServedModels,
    version: Callable[..., LoadedVersion],
    raw: bool,  # noqa: FBT001
) -> None:
    models.swap(ServedModel("delay", 2, (version(3).answering(UnknownFields.WARN),), (1.0,)))
    other = DISTANCE | {"name": "distanse"}
    sent = {"model_name": "delay", "inputs": [DISTANCE, NIGHT, other]}
    if raw:
        sent = {"model_name": "delay", "inputs": without_contents(DISTANCE, NIGHT, other)}
        sent["raw_input_contents"] = [*RAW, RAW[0]]
    answer = await client.call("ModelInfer", **sent)
    assert "distanse" in answer.parameters["warnings"].string_param
    assert (len(answer.raw_output_contents) > 0, len(answer.outputs)) == (raw, 4)
    usual = await client.call("ModelInfer", **TYPED)
    assert not usual.parameters
