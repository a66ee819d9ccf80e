"""Bulk requests over HTTP: the answer of the stream, the role, and the limit of waiting requests."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import httpx
import pyarrow as pa
import pytest
from prometheus_client import generate_latest
from rondo.chassis.artifacts import Artifacts
from rondo.chassis.errors import UnavailableError
from rondo.chassis.health import Health
from rondo.chassis.http import server
from rondo.contracts.access_tokens import Role
from rondo.contracts.events import scores
from rondo.contracts.events.scores import ScoreRequest
from rondo.serving.bulk import direct
from rondo.serving.bulk.answers import answer
from rondo.serving.bulk.direct import DirectAnswers
from rondo.serving.bulk.versions import BulkVersions
from rondo.serving.deployments.loader import ArtifactLoader
from rondo.serving.errors import OverloadedError, RequestRefusedError
from rondo.serving.http.endpoints import api
from rondo.serving.models.serving_table import ServedModels

from tests.serving.builders import FEATURES, NOW, build_model, version_of
from tests.serving.bulk.test_answers import about, batch_of
from tests.support.access import bearer, token_cache

if TYPE_CHECKING:
    from pathlib import Path

ARROW = {"content-type": "application/vnd.apache.arrow.stream"}
CONTENT = build_model(2.0)
VERSION = version_of("delay", 1, CONTENT, FEATURES)
ROWS = [{"distance": 1.0, "night": True}, {"night": True}]


def message(**changed: str) -> bytes:
    batch = batch_of(ROWS, FEATURES, about(VERSION))
    metadata = {key.decode(): value.decode() for key, value in batch.schema.metadata.items()}
    return scores.encode(batch.replace_schema_metadata(metadata | changed))


def message_of(**columns: pa.Array) -> bytes:
    return scores.encode(batch_of(ROWS, FEATURES, about(VERSION), **columns))


async def answers_of(folder: Path) -> DirectAnswers:
    artifacts = Artifacts(str(folder))
    await artifacts.put(CONTENT)
    return DirectAnswers(
        BulkVersions(ArtifactLoader(artifacts, 1, live=False), asyncio.get_running_loop()), lambda: NOW
    )


async def test_a_message_over_http_has_the_answer_of_the_stream(tmp_path: Path) -> None:
    async def report() -> dict[str, str]:
        return {}

    app = api(ServedModels(), None, report, await answers_of(tmp_path))  # type: ignore[arg-type]
    guarded = server.guarded(Health(), await token_cache(), app)
    transport = httpx.ASGITransport(guarded, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://serving") as client:
        for role in (Role.PREDICTOR, Role.ENGINEER):
            found = await client.post("/v2/scores", content=message(), headers=bearer(role) | ARROW)
            assert (found.status_code, found.headers["content-type"]) == (200, ARROW["content-type"])
            sent = scores.decode(message())
            assert scores.decode(found.content).equals(answer(VERSION, sent, ScoreRequest.of(sent.schema), NOW))
        for role in (Role.READER, Role.PUBLISHER):
            assert (await client.post("/v2/scores", content=message(), headers=bearer(role))).status_code == 403
        for content, code in (
            (b"{}", "invalid_score_request"),
            (message(digest="sha256:" + "0" * 64), "version_refused"),
            (message(digest="../secret"), "invalid_score_request"),
            (message(first_row="9" * 30), "invalid_score_request"),
            (message(features="{}"), "version_refused"),
            *((message(**{name: "x" * 300}), "invalid_score_request") for name in ("job", "model", "attempt")),
            (message(model="../secret"), "invalid_score_request"),
        ):
            refused = await client.post("/v2/scores", content=content, headers=bearer(Role.PREDICTOR))
            assert (refused.status_code, refused.json()["code"]) == (400, code)


async def test_rows_that_take_too_much_memory_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = await answers_of(tmp_path)
    for limit, value in (
        ("MAX_BYTES", message()),
        ("MAX_TEXT_BYTES", message_of(entity=pa.array(["a", "a"]).dictionary_encode())),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(scores, limit, 1)
            with pytest.raises(RequestRefusedError) as refused:
                await answers.answer(value)
        assert refused.value.code == "too_large"
    monkeypatch.setattr(scores, "MAX_BYTES", len(ROWS) * 300)
    # Decoded, the request is within the limit. The answer has the text in each row.
    wide = message_of(entity=pa.array(["a" * 300] * 2).dictionary_encode())
    with pytest.raises(RequestRefusedError) as refused:
        await answers.answer(wide)
    assert refused.value.code == "too_large"
    assert isinstance(await answers.answer(message()), bytes)


@pytest.mark.parametrize(
    "columns",
    [
        {"event_time": pa.array(["2013-03-01", "yesterday"])},
        {"event_time": pa.array([2**62, 0], pa.timestamp("s"))},
        {"entity": pa.array([["a"], ["b"]])},
        {"entity": pa.array([b"\xff", b"b"]).dictionary_encode()},
    ],
    ids=["text as time", "time out of bounds", "list as entity", "bytes as entity"],
)
async def test_entities_and_times_of_another_type_are_refused(tmp_path: Path, columns: dict[str, pa.Array]) -> None:
    with pytest.raises(RequestRefusedError) as refused:
        await (await answers_of(tmp_path)).answer(message_of(**columns))
    assert refused.value.code == "invalid_score_request"


async def test_a_time_that_python_has_not_is_refused_in_its_row(tmp_path: Path) -> None:
    times = pa.array([2**62, 10**18 + 1], pa.timestamp("us", "UTC"))
    made = scores.decode(await (await answers_of(tmp_path)).answer(message_of(event_time=times)))
    assert made.column("error").to_pylist() == ["bad_event_time", "missing_feature"]
    finer = pa.array([1_362_139_200_000_000_001, None], pa.timestamp("ns", "UTC"))
    made = scores.decode(await (await answers_of(tmp_path)).answer(message_of(event_time=finer)))
    assert made.column("error").to_pylist() == [None, "missing_feature"]


async def test_entities_of_any_kind_of_text_are_passed_on(tmp_path: Path) -> None:
    answers, words = await answers_of(tmp_path), pa.array(["a", None])
    views = pa.DictionaryArray.from_arrays([0, None], pa.array(["a"], pa.string_view()))
    for column in (words, words.cast(pa.large_string()), words.dictionary_encode(), views):
        made = scores.decode(await answers.answer(message_of(entity=column)))
        assert made.column("entity").to_pylist() == ["a", None]


@pytest.mark.parametrize("name", ["feature.distance", "entity"])
async def test_two_columns_of_one_name_are_refused(tmp_path: Path, name: str) -> None:
    batch = scores.decode(message_of(entity=pa.array(["a", "b"])))
    twice = batch.append_column(name, batch.column(name))
    with pytest.raises(RequestRefusedError) as refused:
        await (await answers_of(tmp_path)).answer(scores.encode(twice))
    assert refused.value.code == "invalid_score_request"
    assert "send one of each name" in str(refused.value)


async def test_a_model_that_a_request_names_leaves_no_metrics(tmp_path: Path) -> None:
    answers = await answers_of(tmp_path)
    assert isinstance(await answers.answer(message(model="named-once")), bytes)
    assert b"named-once" not in generate_latest()


async def test_too_many_that_wait_are_refused_and_the_others_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(direct, "_WAITING", 3)
    answers = await answers_of(tmp_path)
    found = await asyncio.gather(*(answers.answer(message()) for _ in range(5)), return_exceptions=True)
    assert [type(each) for each in found] == [bytes, bytes, bytes, OverloadedError, OverloadedError]
    assert isinstance(await answers.answer(message()), bytes)


async def test_a_replica_without_threads_for_it_takes_none() -> None:
    with pytest.raises(UnavailableError):
        await DirectAnswers(None, lambda: NOW).answer(message())
