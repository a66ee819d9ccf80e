"""Error responses of services over HTTP, as typed errors with the next step."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from rondo.client import (
    AsyncRondo,
    Connection,
    ForbiddenError,
    NotFoundError,
    RefusedError,
    UnauthorizedError,
    UnreachableError,
    messages,
)
from rondo.client.cli.outcome_checks import label_of
from rondo.client.errors import EmptyBatchError, ServiceFailedError, UnavailableError, UnknownFormatError
from rondo.contracts.spec.file import SpecError

SPEC = """\
model: late
data: {dataset: flights, entity: id, event_time: at, label: late}
features: {distance: {type: float}}
"""
DAY = datetime(2013, 3, 1, 12, tzinfo=UTC)
Answer = Callable[[httpx.Request], httpx.Response]


def answering(status: int, body: Any) -> httpx.MockTransport:
    return httpx.MockTransport(lambda _: httpx.Response(status, json=body))


async def test_a_request_carries_the_token(connection: Connection) -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={"models": []})

    async with AsyncRondo(connection, httpx.MockTransport(answer)) as rondo:
        assert await rondo.models() == []
    assert seen[0].headers["authorization"] == "Bearer a token"


@pytest.mark.parametrize(
    ("status", "body", "kind", "message"),
    [
        (401, {"code": "unauthorized", "detail": "send"}, UnauthorizedError, "set RONDO_TOKEN"),
        (403, {"code": "forbidden", "detail": "for approvers"}, ForbiddenError, "for approvers"),
        (404, {"code": "unknown_model", "detail": "no model late"}, NotFoundError, "no model late"),
        (409, {"code": "conflict", "detail": "version 2 is retired"}, RefusedError, "version 2 is retired"),
        (
            422,
            {"code": "x", "detail": "unusable:", "problems": ["line 3: no"]},
            RefusedError,
            "unusable:\n  line 3: no",
        ),
        (503, {"code": "unavailable", "detail": "PostgreSQL is down"}, UnavailableError, "PostgreSQL is down"),
        (500, {}, ServiceFailedError, "registry failed with HTTP 500"),
    ],
)
async def test_a_refusal_is_a_typed_error(
    connection: Connection, status: int, body: Any, kind: type[Exception], message: str
) -> None:
    async with AsyncRondo(connection, transport=answering(status, body)) as rondo:
        with pytest.raises(kind) as raised:
            await rondo.model("late")
    assert message in str(raised.value)


async def test_a_missing_role_is_named(connection: Connection) -> None:
    body = {"code": "forbidden", "detail": "for approvers", "required_roles": ["approver"]}
    async with AsyncRondo(connection, transport=answering(403, body)) as rondo:
        with pytest.raises(ForbiddenError) as raised:
            await rondo.promote("late", 2)
    assert (raised.value.code, raised.value.required_roles) == ("forbidden", ("approver",))


async def test_what_does_not_answer_is_named_with_its_address(connection: Connection) -> None:
    async with AsyncRondo(connection) as rondo:
        with pytest.raises(UnreachableError) as raised:
            await rondo.models()
    assert (raised.value.service, raised.value.url) == ("registry", "http://127.0.0.1:1")


async def test_an_answer_of_something_else_is_not_taken(connection: Connection) -> None:
    async with AsyncRondo(
        connection, transport=httpx.MockTransport(lambda _: httpx.Response(200, text="<p>"))
    ) as rondo:
        with pytest.raises(ServiceFailedError) as raised:
            await rondo.models()
    assert (raised.value.service, raised.value.status) == ("registry", 200)


async def test_a_spec_with_a_fault_is_never_sent(connection: Connection) -> None:
    async with AsyncRondo(connection) as rondo:
        with pytest.raises(SpecError) as caught:
            await rondo.apply(SPEC.replace("features", "featuers"), "my.yaml")
    assert (caught.value.code, caught.value.source) == ("invalid_spec", "my.yaml")
    assert [problem for problem in caught.value.problems if problem.startswith("line 3: `featuers`")]


async def test_a_name_can_not_reach_another_path(connection: Connection) -> None:
    paths: list[bytes] = []

    def answer(request: httpx.Request) -> httpx.Response:
        paths.append(request.url.raw_path)
        return httpx.Response(404, json={"code": "not_found", "detail": "no such model"})

    async with AsyncRondo(connection, transport=httpx.MockTransport(answer)) as rondo:
        with pytest.raises(NotFoundError):
            await rondo.model("../specs?x=1")
    assert paths == [b"/v1/models/..%2Fspecs%3Fx%3D1"]


async def test_a_file_is_sent_in_pieces_with_its_length_and_type(connection: Connection, tmp_path: Path) -> None:
    file = tmp_path / "january.csv"
    file.write_bytes(b"x" * 1_500_000)
    seen: list[tuple[str, str, int]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append((request.headers["content-type"], request.headers["content-length"], len(request.content)))
        assert "transfer-encoding" not in request.headers
        return httpx.Response(201, json={"status": "accepted"})

    sent: list[int] = []
    async with AsyncRondo(connection, transport=httpx.MockTransport(answer)) as rondo:
        await rondo.publish("flights", "2013-01", file, sent=sent.append)
    assert seen == [("text/csv", "1500000", 1_500_000)]
    assert sum(sent) == 1_500_000


@pytest.mark.parametrize("name", ["january.jsonl", "january.JSONL.gz"])
async def test_a_suffix_of_gzip_does_not_hide_the_format(connection: Connection, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"{}")
    seen: list[httpx.Headers] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers)
        return httpx.Response(201, json={"status": "accepted"})

    async with AsyncRondo(connection, transport=httpx.MockTransport(answer)) as rondo:
        await rondo.publish("flights", "2013-01", tmp_path / name)
    assert [headers["content-type"] for headers in seen] == ["application/x-ndjson"]


@pytest.mark.parametrize("content", [Path("january.xlsx"), Path("january.gz"), b"bytes"])
async def test_a_batch_of_no_known_format_is_never_sent(connection: Connection, content: bytes | Path) -> None:
    async with AsyncRondo(connection) as rondo:
        with pytest.raises(UnknownFormatError):
            await rondo.publish("flights", "2013-01", content)


async def test_a_rejected_batch_has_its_reasons(connection: Connection) -> None:
    report = {"code": "batch_rejected", "detail": "nothing was used", "reasons": ["the column carrier is missing"]}
    async with AsyncRondo(connection, transport=answering(422, report)) as rondo:
        with pytest.raises(RefusedError) as raised:
            await rondo.publish("flights", "2013-01", b"id", "text/csv")
    assert (raised.value.problems, raised.value.code) == (("the column carrier is missing",), "batch_rejected")
    assert "`reasons`" not in str(raised.value)


async def test_status_has_the_reason_for_each_service_that_is_not_ready(connection: Connection) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.host == "registry":
            return httpx.Response(503, json={"ready": False, "checks": {"postgres": "no answer"}})
        if request.url.host == "serving":
            return httpx.Response(200, text="<p>")
        raise httpx.ConnectError("refused")

    urls = {"registry": "http://registry", "serving": "http://serving", "ingestion": "http://ingestion"}
    moved = connection.model_copy(update=urls)
    async with AsyncRondo(moved, transport=httpx.MockTransport(answer)) as rondo:
        status = await rondo.status()
    assert (status["registry"]["ready"], status["registry"]["checks"]) == (False, {"postgres": "no answer"})
    assert (status["serving"]["ready"], status["serving"]["message"].endswith("?")) == (False, True)
    assert status["ingestion"]["message"] == "no answer (refused)"
    assert (status["trainer"]["ready"], "address" in status["trainer"]["message"]) == (None, True)


async def test_status_has_the_checks_of_kafka_and_postgresql_by_service(connection: Connection) -> None:
    unavailable = "Kafka at kafka:9092 is not available (no answer)"

    def answer(request: httpx.Request) -> httpx.Response:
        checks = {
            "registry": {"kafka": "ok", "postgresql": "ok"},
            "serving": {"kafka": unavailable},
            "ingestion": {"start": "no"},
        }[request.url.host]  # fmt: skip
        return httpx.Response(200, json={"ready": True, "checks": checks})

    urls = {name: f"http://{name}" for name in ("registry", "serving", "ingestion")}
    async with AsyncRondo(connection.model_copy(update=urls), transport=httpx.MockTransport(answer)) as rondo:
        status = await rondo.status()
    assert status["kafka"] == {
        "ready": False,
        "url": str(connection.kafka),
        "checks": {"registry": "ok", "serving": unavailable},
        "message": "",
    }  # fmt: skip
    assert (status["postgresql"]["ready"], status["postgresql"]["checks"]) == (True, {"registry": "ok"})
    async with AsyncRondo(connection) as rondo:
        assert (await rondo.status())["kafka"]["ready"] is None


@pytest.mark.parametrize(
    ("task", "good", "bad"),
    [("binary", 1, 0.5), ("multiclass", "Bäume", ""), ("multiclass", 7, 0.5), ("regression", "12.5", "oak")],
)
@pytest.mark.parametrize(
    ("unavailable", "is_checked"), [("", True), ("/v1/models/late/spec", False), ("/v1/datasets/trips", False)]
)
async def test_an_outcome_is_checked_where_registry_and_ingestion_answer(
    connection: Connection, unavailable: str, task: str, good: float | str, bad: float | str, *, is_checked: bool
) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == unavailable:
            raise httpx.ConnectError("refused")
        if request.url.path == "/v1/models/late/spec":
            spec = {"task": task, "data": {"dataset": "trips", "label": "late"}}
            return httpx.Response(200, json={"spec": spec})
        if request.url.path == "/v2/models/late":
            return httpx.Response(404, json={"error": "not deployed", "code": "not_found", "detail": "not deployed"})
        return httpx.Response(200, json={"columns": [{"name": "late", "kind": "label"}]})

    async with AsyncRondo(connection, transport=httpx.MockTransport(answer)) as rondo:
        label = await label_of(rondo, "late")
        assert (label is not None) == is_checked
        if label is not None:
            label.check(messages.outcome("late", good, DAY, "a"))
            with pytest.raises(RefusedError) as refused:
                label.check(messages.outcome("late", bad, DAY, "a"))
            assert refused.value.code == "bad_outcome"


@pytest.mark.parametrize(
    ("outcome", "hint"),
    [
        ("bug", None),
        (" bug ", None),
        ("bugg", "did you mean 'bug'?"),
        ("BUG", "did you mean 'bug'?"),
        ("praise", "it knows bug, feature"),
        (7, "it knows bug, feature"),
    ],
)
async def test_a_class_that_the_champion_does_not_know_is_doubted_with_the_nearest_one(
    connection: Connection, outcome: float | str, hint: str | None
) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/v1/models/ticket/spec":
            data = {"dataset": "tickets", "label": "kind"}
            return httpx.Response(200, json={"spec": {"task": "multiclass", "data": data}})
        if request.url.path == "/v2/models/ticket":
            probabilities = {"name": "probabilities", "parameters": {"labels": ["bug", "feature"]}}
            return httpx.Response(200, json={"outputs": [{"name": "label"}, probabilities]})
        return httpx.Response(200, json={"columns": [{"name": "kind", "kind": "label"}]})

    async with AsyncRondo(connection, transport=httpx.MockTransport(answer)) as rondo:
        label = await label_of(rondo, "ticket")
    assert label is not None
    observed = messages.outcome("ticket", outcome, DAY, "a")
    label.check(observed)
    doubt = label.doubt(observed)
    assert (doubt is None) == (hint is None)
    assert (hint or "") in (doubt or "")


async def test_an_outcome_of_a_task_that_is_not_known_yet_is_not_compared(connection: Connection) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/v1/models/late/spec":
            return httpx.Response(200, json={"spec": {"task": "ranking", "data": {"dataset": "t", "label": "late"}}})
        return httpx.Response(200, json={"columns": [{"name": "late", "kind": "label"}]})

    async with AsyncRondo(connection, transport=httpx.MockTransport(answer)) as rondo:
        label = await label_of(rondo, "late")
    assert label is not None
    label.check(messages.outcome("late", "anything", DAY, "a"))


async def test_a_prediction_over_http_sends_a_tensor_for_each_feature(connection: Connection) -> None:
    bodies: list[bytes] = []

    def answer(request: httpx.Request) -> httpx.Response:
        bodies.append(request.content)
        outputs = [{"name": "score", "data": [0.25]}]
        return httpx.Response(200, json={"model_name": "late", "model_version": "3", "id": "a", "outputs": outputs})

    features = {"carrier": "AA", "distance": 740.5, "stops": 2, "weekend": True, "temp": None}
    async with AsyncRondo(connection, transport=httpx.MockTransport(answer)) as rondo:
        prediction = await rondo.predict_http("late", features, id="a", entity="flight 1")
    assert (prediction.score, prediction.model_version) == (0.25, 3)
    sent = httpx.Response(200, content=bodies[0]).json()
    assert sent["id"] == "a"
    assert {tensor["name"]: tensor["datatype"] for tensor in sent["inputs"]} == {
        "carrier": "BYTES",
        "distance": "FP64",
        "stops": "INT64",
        "weekend": "BOOL",
        "rondo.entity": "BYTES",
    }


async def test_a_prediction_over_http_has_every_output_of_the_model(connection: Connection) -> None:
    probabilities = {"name": "probabilities", "parameters": {"labels": ["score", "Bäume"]}, "data": [0.25, 0.75]}
    numbered = {"name": "probabilities", "parameters": {"labels": [-1, 7]}, "data": [0.25, 0.75]}
    own = [{"name": "rondo.id", "data": ["a"]}, {"name": "rondo.model_version", "data": ["3"]}]
    for outputs, expected in (
        (
            [{"name": "label", "data": ["Bäume"]}, probabilities],
            {"label": "Bäume", "probabilities": {"score": 0.25, "Bäume": 0.75}},
        ),
        ([{"name": "label", "data": [7]}, numbered], {"label": 7, "probabilities": {"-1": 0.25, "7": 0.75}}),
        ([{"name": "value", "data": [12.5]}], {"value": 12.5}),
    ):
        answer = {"model_name": "late", "model_version": "3", "id": "a", "outputs": [*outputs, *own]}
        async with AsyncRondo(connection, transport=answering(200, answer)) as rondo:
            assert (await rondo.predict_http("late", {"distance": 1})).output == expected


@pytest.mark.parametrize("outputs", [[], [{"name": "rondo.id", "data": ["a"]}], [{"name": "score", "data": []}], [{}]])
async def test_an_answer_without_an_output_is_an_error_of_the_service(connection: Connection, outputs: Any) -> None:
    answer = {"model_name": "late", "model_version": "3", "outputs": outputs}
    async with AsyncRondo(connection, transport=answering(200, answer)) as rondo:
        with pytest.raises(ServiceFailedError) as caught:
            await rondo.predict_http("late", {"distance": 1})
    assert caught.value.code == "service_failed"
    assert "prediction" in str(caught.value)


async def test_errors_about_tensors_are_translated_to_features(connection: Connection) -> None:
    wrong = {
        "the feature `temp` is missing: send 12.5, in a FP32 tensor of shape [1, 1]":
            "the feature `temp` is missing: send 12.5",
        "the feature `carrier` at row 0 is the text 'ZZ': send one of \"AA\", \"UA\"":
            "the feature `carrier` is the text 'ZZ': send one of \"AA\", \"UA\"",
    }  # fmt: skip
    for detail, expected in wrong.items():
        async with AsyncRondo(
            connection, transport=answering(400, {"error": detail, "detail": detail, "code": "bad_request"})
        ) as rondo:
            with pytest.raises(RefusedError) as raised:
                await rondo.predict_http("late", {"distance": 1})
        assert str(raised.value) == expected


async def test_no_feature_at_all_is_refused_in_words_of_features(connection: Connection) -> None:
    async with AsyncRondo(connection) as rondo:
        with pytest.raises(RefusedError) as caught:
            await rondo.predict_http("late", {"distance": None})
    assert caught.value.code == "no_features"


@pytest.mark.parametrize("content", [b"", Path("none.csv")])
async def test_a_batch_without_a_byte_is_never_sent(
    connection: Connection, tmp_path: Path, content: bytes | Path
) -> None:
    (tmp_path / "none.csv").touch()
    batch = tmp_path / content if isinstance(content, Path) else content
    async with AsyncRondo(connection) as rondo:
        with pytest.raises(EmptyBatchError) as caught:
            await rondo.publish("flights", "2013-01", batch, "text/csv")
    assert caught.value.code == "empty_batch"


async def test_a_response_without_a_score_is_an_error(connection: Connection) -> None:
    async with AsyncRondo(connection, transport=answering(200, {"outputs": []})) as rondo:
        with pytest.raises(ServiceFailedError) as raised:
            await rondo.predict_http("late", {"distance": 1})
    assert (raised.value.service, raised.value.status) == ("serving", 200)
