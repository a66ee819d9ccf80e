"""The HTTP API: the real app on real PostgreSQL, without a socket."""

from __future__ import annotations

import asyncio
import gzip
import re
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import httpx
import onnx
import pytest
from rondo.chassis.artifacts import ArtifactMissingError, digest_of
from rondo.chassis.health import Health
from rondo.chassis.http.server import guarded
from rondo.contracts.access_tokens import Role
from rondo.contracts.events.cloudevents import Envelope
from rondo.contracts.events.deployment import ReplicaChanged
from rondo.registry import handlers
from rondo.registry.audit.verifier import AuditVerifier
from rondo.registry.http import app
from rondo.registry.http.dependencies import MAX_UPLOADS, ApiContext, open_api
from rondo.registry.postgres.queries import PostgresQueries
from rondo.registry.postgres.unit_of_work import PostgresStore
from starlette.routing import BaseRoute, Route

from tests.registry.builders import onnx_model
from tests.support.access import bearer, token_cache
from tests.support.evidence import put_evidence

if TYPE_CHECKING:
    from pathlib import Path

    from fastapi import APIRouter
    from rondo.chassis.artifacts import Artifacts
    from rondo.chassis.postgres.pool import Database

Make = Callable[..., Any]
BEARER = bearer()


@pytest.fixture
async def seeded(
    client: httpx.AsyncClient, registry_database: Database, artifacts: Artifacts, spec_text: str, trained: Make
) -> httpx.AsyncClient:
    """Return a client of a registry with two versions that served and one that was rejected."""
    await client.put("/v1/specs", content=spec_text)
    events = [
        trained("run-1", auc=0.7),
        trained("run-2", auc=0.8, champion=(1, 0.7)),
        trained("run-3", auc=0.1, champion=(2, 0.8)),
    ]
    await put_evidence(artifacts)
    for event in events:
        envelope = Envelope(event.run_id, "test", datetime.now(UTC), event)
        async with PostgresStore(registry_database).handling(envelope) as work:
            await handlers.on_model_trained(envelope, work, artifacts)
    return client


def every_route(routes: Iterable[BaseRoute]) -> Iterator[tuple[str, str]]:
    for route in routes:
        if isinstance(route, Route):
            yield from ((method, route.path) for method in (route.methods or set()) - {"HEAD"})
        else:  # FastAPI keeps what it includes behind the router that it came from
            router: APIRouter = route.original_router  # type: ignore[attr-defined]
            yield from every_route(router.routes)


async def test_every_route_asks_for_the_token(client: httpx.AsyncClient) -> None:
    routes = list(every_route(app.api().routes))
    assert sorted(routes) == [
        ("DELETE", "/v1/models/{model}"),
        ("DELETE", "/v1/tokens/{token_id}"),
        ("GET", "/openapi.json"),
        ("GET", "/v1/models"),
        ("GET", "/v1/models/{model}"),
        ("GET", "/v1/models/{model}/audit"),
        ("GET", "/v1/models/{model}/audit/head"),
        ("GET", "/v1/models/{model}/history"),
        ("GET", "/v1/models/{model}/replicas"),
        ("GET", "/v1/models/{model}/spec"),
        ("GET", "/v1/models/{model}/versions"),
        ("GET", "/v1/models/{model}/versions/{version}"),
        ("GET", "/v1/models/{model}/versions/{version}/artifact"),
        ("GET", "/v1/models/{model}/versions/{version}/lineage"),
        ("GET", "/v1/runs"),
        ("GET", "/v1/tokens"),
        ("GET", "/v1/tokens/audit"),
        ("POST", "/v1/models/{model}/promote"),
        ("POST", "/v1/models/{model}/rollback"),
        ("POST", "/v1/models/{model}/train"),
        ("POST", "/v1/models/{model}/versions"),
        ("POST", "/v1/tokens"),
        ("POST", "/v1/tokens/{token_id}/rotate"),
        ("PUT", "/v1/specs"),
    ]
    for method, path in [*routes, ("GET", "/nowhere")]:
        url = path.replace("{model}", "late").replace("{version}", "1")
        for headers in ({"authorization": ""}, {"authorization": "Bearer wrong"}):
            answer = await client.request(method, url, headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated"), url


async def test_the_document_names_the_body_of_a_spec_the_role_and_the_shape_of_errors(
    client: httpx.AsyncClient,
) -> None:
    document = (await client.get("/openapi.json")).json()
    assert document["paths"]["/v1/specs"]["put"]["requestBody"]["content"].keys() == {"application/yaml"}
    for path, operations in document["paths"].items():
        for operation in operations.values():
            if path.startswith("/v1"):
                assert {"401", "403", "404", "405", "422", "503"} <= operation["responses"].keys(), path
                schema = operation["responses"]["404"]["content"]["application/problem+json"]["schema"]
                assert (schema, bool(operation["x-required-roles"])) == ({"$ref": "#/components/schemas/Problem"}, True)


@pytest.mark.parametrize(
    ("method", "path", "needed", "lacking"),
    [
        ("PUT", "/v1/specs", Role.ENGINEER, Role.APPROVER),
        ("POST", "/v1/models/late/train", Role.ENGINEER, Role.APPROVER),
        ("POST", "/v1/models/late/versions", Role.ENGINEER, Role.APPROVER),
        ("POST", "/v1/models/late/promote", Role.APPROVER, Role.ENGINEER),
        ("POST", "/v1/models/late/rollback", Role.APPROVER, Role.ENGINEER),
        ("DELETE", "/v1/models/late", Role.APPROVER, Role.ENGINEER),
        ("GET", "/v1/models", Role.READER, Role.PREDICTOR),
        ("GET", "/v1/models/late/audit", Role.READER, Role.PUBLISHER),
        ("GET", "/v1/tokens", Role.ADMIN, Role.APPROVER),
        ("GET", "/v1/tokens/audit", Role.ADMIN, Role.READER),
        ("POST", "/v1/tokens", Role.ADMIN, Role.ENGINEER),
        ("POST", "/v1/tokens/x/rotate", Role.ADMIN, Role.ENGINEER),
        ("DELETE", "/v1/tokens/x", Role.ADMIN, Role.ENGINEER),
    ],
)
async def test_a_route_needs_its_role(
    client: httpx.AsyncClient, method: str, path: str, needed: Role, lacking: Role
) -> None:
    refused = await client.request(method, path, headers=bearer(lacking))
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    assert refused.json()["required_roles"] == [needed]
    assert (await client.request(method, path, headers=bearer(needed))).status_code != 403


async def test_the_document_resolves_all_its_references(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    assert document["openapi"].startswith("3.1")
    for reference in references(document):
        found: Any = document
        for part in reference.removeprefix("#/").split("/"):
            found = found[part]
    operations = [
        (path, o) for path, each in document["paths"].items() if path.startswith("/v1") for o in each.values()
    ]
    assert len({operation["operationId"] for _, operation in operations}) == len(operations)
    for path, operation in operations:
        named = {p["name"] for p in operation.get("parameters", []) if p["in"] == "path"}
        assert named == set(re.findall(r"{(\w+)}", path)), path


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        yield from ([node["$ref"]] if isinstance(node.get("$ref"), str) else [])
        yield from (found for value in node.values() for found in references(value))
    elif isinstance(node, list):
        yield from (found for value in node for found in references(value))


async def test_applying_a_spec_twice_is_once(client: httpx.AsyncClient, spec_text: str) -> None:
    forged = bearer(Role.ENGINEER) | {"x-rondo-user": "somebody else"}
    first = (await client.put("/v1/specs", content=spec_text, headers=forged)).json()
    second = (await client.put("/v1/specs", content=spec_text)).json()
    assert (first["revision"], first["changed"], second["revision"], second["changed"]) == (1, True, 1, False)
    spec = (await client.get("/v1/models/late/spec")).json()
    assert (spec["revision"], spec["spec"]["data"]["label"]) == (1, "late")
    assert (await client.get("/v1/models/late/audit")).json()["entries"][0]["decided_by"] == "engineer"


async def test_a_typo_names_its_line(client: httpx.AsyncClient, spec_text: str) -> None:
    answer = await client.put("/v1/specs", content=spec_text.replace("gates:", "gate:"))
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_spec")
    assert "line 6: `gate` is not a known key: did you mean `gates`?" in answer.json()["detail"]
    assert answer.json()["problems"] == ["line 6: `gate` is not a known key: did you mean `gates`?"]


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        (b"model: late\nrollout: {", "invalid_spec", "not valid YAML"),
        (b"\xff\xfe", "invalid_spec", "byte 0 is not UTF-8"),
        (b"#" * 300_000, "invalid_spec", "it is larger than 256 KiB"),
        (b"", "invalid_spec", "line 1"),
        (b"model: iris\ntask: ranking\n", "invalid_spec", "'ranking' is unknown: use one of binary"),
        (b'model: late\nfeatures: {a: {type: category, values: ["x\\0"]}}\n', "invalid_spec", "U+0000"),
    ],
)
async def test_a_body_that_is_no_spec_is_refused(
    client: httpx.AsyncClient, body: bytes, code: str, message: str
) -> None:
    answer = await client.put("/v1/specs", content=body)
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert message in answer.json()["detail"]


async def test_a_label_as_a_feature_and_an_unsupported_strategy(client: httpx.AsyncClient, spec_text: str) -> None:
    answer = await client.put("/v1/specs", content=spec_text.replace("distance:", "late:"))
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_spec")
    assert "line 5: `features.late`: " in answer.json()["detail"]
    answer = await client.put("/v1/specs", content=spec_text + "rollout: {strategy: canary}\n")
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_spec")
    assert "line 7: `rollout.strategy`: canary " in answer.json()["detail"]


async def test_unknown_things_are_refused_with_the_next_step(seeded: httpx.AsyncClient) -> None:
    for path in ("", "/spec", "/versions", "/versions/1", "/versions/1/artifact", "/versions/1/lineage", "/history"):
        answer = await seeded.get(f"/v1/models/gone{path}")
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown_model"), path
        assert {"'gone';", "late:"} <= {*answer.json()["detail"].split()}
    for command, body in (("promote", {"version": 1}), ("rollback", {}), ("train", {})):
        answer = await seeded.post(f"/v1/models/gone/{command}", json=body)
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown_model")
    answer = await seeded.get("/v1/models/late/versions/9")
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_version")
    assert re.findall(r"\d+", answer.json()["detail"]) == ["9", "1", "3"]
    answer = await seeded.get("/v1/nothing")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    answer = await seeded.delete("/v1/models")
    assert (answer.status_code, answer.json()["code"], answer.headers["allow"]) == (405, "method_not_allowed", "GET")
    answer = await seeded.get("/v1/models/late/versions/one")
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    answer = await seeded.post("/v1/models/late/promote", json={"vresion": 1})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert re.findall("v[a-z]+: ", answer.json()["detail"]) == ["version: ", "vresion: "]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/v1/models/late%00", None),
        ("GET", "/v1/runs?model=%00", None),
        ("GET", f"/v1/models/late/versions/{2**31}", None),
        ("GET", "/v1/models/late/versions/0", None),
        ("POST", "/v1/models/late/promote", {"version": 2**31}),
        ("POST", "/v1/models/late/promote", {"version": 1, "reason": "\0"}),
        ("POST", "/v1/models/late/rollback", {"decided_by": "somebody else"}),
        ("POST", "/v1/models/late/train", {"at": "0001-01-01T00:00:00+14:00"}),
        ("POST", "/v1/models/late/train", {"at": "9999-12-31T23:59:59Z"}),
        ("POST", "/v1/models/late/train", {"at": "1899-12-31T00:00:00Z"}),
        ("DELETE", "/v1/models/late?reason=%00", None),
    ],
)
async def test_values_that_postgresql_cannot_store_are_refused(
    seeded: httpx.AsyncClient, method: str, path: str, body: dict[str, Any] | None
) -> None:
    answer = await seeded.request(method, path, json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


async def test_models_versions_and_runs(seeded: httpx.AsyncClient, tmp_path: Path) -> None:
    (model,) = (await seeded.get("/v1/models")).json()["models"]
    assert (model["champion"], model["revision"], model["last_version"]) == (2, 2, 3)
    assert model == (await seeded.get("/v1/models/late")).json()
    versions = (await seeded.get("/v1/models/late/versions")).json()["versions"]
    assert [(v["model_version"], v["state"], v["passed"]) for v in versions] == [
        (1, "standby", True), (2, "champion", True), (3, "rejected", False),
    ]  # fmt: skip
    detail = (await seeded.get("/v1/models/late/versions/3")).json()
    assert [gate["passed"] for gate in detail["gates"]] == [True, True, False, False]
    assert (detail["evidence"]["champion_version"], detail["evidence"]["rows_holdout"]) == (2, 100)
    assert list(detail["features"]) == list(model["routes"][0]["features"])
    (tmp_path / "artifacts" / detail["evidence_digest"].replace(":", "/")).write_bytes(b"other")
    damaged = (await seeded.get("/v1/models/late/versions/3")).json()
    assert damaged == detail | {"evidence": None}
    runs = (await seeded.get("/v1/runs", params={"model": "late", "limit": 2})).json()["runs"]
    assert [(run["run_id"], run["state"]) for run in runs] == [("run-3", "trained"), ("run-2", "trained")]


async def test_history_lineage_and_audit(seeded: httpx.AsyncClient) -> None:
    periods = (await seeded.get("/v1/models/late/history")).json()["periods"]
    assert [p["model_version"] for p in periods] == [1, 2]
    assert (periods[0]["until"], periods[1]["until"]) == (periods[1]["since"], None)
    lineage_of_1 = (await seeded.get("/v1/models/late/versions/1/lineage")).json()
    assert lineage_of_1["trigger"]["id"] == "finding-run-1"
    assert lineage_of_1["training"]["data"][0]["table"] == "datasets/flights"
    assert lineage_of_1["deployments"] == periods[:1]
    audit = (await seeded.get("/v1/models/late/audit")).json()
    assert (audit["verified"], len(audit["entries"])) == (True, 7)
    assert audit["entries"][-1]["evidence"]["gates"][2]["message"].startswith("ROC AUC 0.100 on the holdout")
    head = (await seeded.get("/v1/models/late/audit/head")).json()
    assert head == {"model": "late", "length": 7, "hash": audit["entries"][-1]["hash"]}
    assert (await seeded.get("/v1/models/gone/audit/head")).status_code == 404


async def test_replicas_that_serve_and_that_refuse(
    seeded: httpx.AsyncClient, registry_database: Database, day: datetime
) -> None:
    for replica, state in (("serving-1", "available"), ("serving-0", "refused")):
        event = ReplicaChanged(
            model="late", replica=replica, model_version=2, digest=f"sha256:{'a' * 64}", revision=2, state=state,
            detail="empty" if state == "refused" else "", at=day,
        )  # fmt: skip
        envelope = Envelope(replica, "test", datetime.now(UTC), event)
        async with PostgresStore(registry_database).handling(envelope) as work:
            await handlers.on_replica_changed(envelope, work)
    found = (await seeded.get("/v1/models/late/replicas")).json()
    assert (found["revision"], [(r["replica"], r["state"], r["detail"]) for r in found["replicas"]]) == (
        2, [("serving-0", "refused", "empty"), ("serving-1", "available", "")],
    )  # fmt: skip
    assert (await seeded.get("/v1/models/gone/replicas")).json()["code"] == "unknown_model"


async def test_the_artifact_of_a_version(seeded: httpx.AsyncClient, tmp_path: Path) -> None:
    answer = await seeded.get("/v1/models/late/versions/1/artifact")
    digest = (await seeded.get("/v1/models/late/versions/1")).json()["digest"]
    assert (answer.content, answer.headers["etag"]) == (onnx_model("run-1"), f'"{digest}"')
    other = (await seeded.get("/v1/models/late/versions/2")).json()["digest"]
    (tmp_path / "artifacts" / other.replace(":", "/")).unlink()
    missing = await seeded.get("/v1/models/late/versions/2/artifact")
    assert (missing.status_code, missing.json()["code"]) == (404, "artifact_missing")
    (tmp_path / "artifacts" / digest.replace(":", "/")).write_bytes(b"other")
    corrupt = await seeded.get("/v1/models/late/versions/1/artifact")
    assert (corrupt.status_code, corrupt.json()["code"]) == (500, "artifact_corrupt")


async def test_promote_and_roll_back(seeded: httpx.AsyncClient) -> None:
    refused = await seeded.post("/v1/models/late/promote", json={"version": 3})
    assert (refused.status_code, refused.json()["code"]) == (409, "gates_not_passed")
    stale = await seeded.post("/v1/models/late/promote", json={"version": 1, "revision": 1})
    assert (stale.status_code, stale.json()["code"]) == (409, "stale_revision")
    body = {"version": 3, "override": True, "reason": "a drill"}
    promoted = await seeded.post("/v1/models/late/promote", json=body, headers=bearer(Role.APPROVER))
    assert (promoted.status_code, promoted.json()["champion"], promoted.json()["revision"]) == (200, 3, 3)
    again = await seeded.post("/v1/models/late/promote", json=body)
    assert (again.status_code, again.json()["code"]) == (409, "already_champion")
    back = await seeded.post("/v1/models/late/rollback")
    assert (back.status_code, back.json()["champion"]) == (200, 2)
    entries = (await seeded.get("/v1/models/late/audit")).json()["entries"]
    assert [(e["action"], e["decided_by"]) for e in entries[-2:]] == [
        ("promoted", "approver"),
        ("rolled_back", "admin"),
    ]
    assert entries[-2]["evidence"]["passed"] is False
    assert (await seeded.post("/v1/models/late/rollback", json={"version": None})).json()["champion"] == 1
    nothing = await seeded.post("/v1/models/late/rollback")
    assert (nothing.status_code, nothing.json()["code"]) == (409, "nothing_to_roll_back_to")


async def test_train_now(seeded: httpx.AsyncClient, registry_database: Database) -> None:
    body = {"reason": "new features", "at": "2013-05-01T00:00:00Z"}
    answer = await seeded.post("/v1/models/late/train", json=body)
    assert (answer.status_code, answer.json()["status"]) == (202, "requested")
    event_id = await registry_database.pool.fetchval("select event_id from outbox where topic = 'training.requested'")
    assert event_id == answer.json()["trigger_id"]


async def test_a_metric_of_nan_is_returned(
    seeded: httpx.AsyncClient, registry_database: Database, artifacts: Artifacts, trained: Make
) -> None:
    event = trained("run-4", auc=float("nan"))
    await put_evidence(artifacts)
    envelope = Envelope("run-4", "test", datetime.now(UTC), event)
    async with PostgresStore(registry_database).handling(envelope) as work:
        await handlers.on_model_trained(envelope, work, artifacts)
    assert (await seeded.get("/v1/models/late/versions/4")).json()["metrics"] == {"roc_auc": "NaN"}
    assert (await seeded.get("/v1/models/late/audit")).json()["verified"]


async def test_before_it_is_open_the_api_answers_503() -> None:
    transport = httpx.ASGITransport(guarded(Health(), await token_cache(), app.api()))
    async with httpx.AsyncClient(transport=transport, base_url="http://registry", headers=BEARER) as client:
        answer = await client.get("/v1/models")
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert "(still starting)" in answer.json()["detail"]


async def test_lists_are_paginated(seeded: httpx.AsyncClient) -> None:
    for path, items, key in (
        ("/v1/models/late/versions", "versions", "model_version"),
        ("/v1/models/late/audit", "entries", "number"),
    ):
        found, after = [], 0
        while after is not None:
            page = (await seeded.get(path, params={"limit": 2, "after": after})).json()
            assert len(page[items]) <= 2
            found += [item[key] for item in page[items]]
            after = page["next"]
        assert found == list(range(1, len(found) + 1))
    first = (await seeded.get("/v1/runs", params={"limit": 2})).json()
    second = (await seeded.get("/v1/runs", params={"limit": 2, "before": first["next"]})).json()
    assert [run["run_id"] for run in first["runs"] + second["runs"]] == ["run-3", "run-2", "run-1"]
    assert second["next"] is None
    for wrong in ("x", "~", f"{10**30}~run-1"):
        answer = await seeded.get("/v1/runs", params={"before": wrong})
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_cursor")


async def test_a_model_can_be_removed(seeded: httpx.AsyncClient) -> None:
    stale = await seeded.delete("/v1/models/late", params={"revision": 1})
    assert (stale.status_code, stale.json()["code"]) == (409, "stale_revision")
    answer = await seeded.delete("/v1/models/late", params={"reason": "not needed", "revision": 2})
    assert (answer.status_code, answer.json()) == (200, {"model": "late", "revision": 2})
    assert (await seeded.get("/v1/models")).json() == {"models": []}
    assert (await seeded.get("/v1/models/late")).status_code == 404
    assert [v["state"] for v in (await seeded.get("/v1/models/late/versions")).json()["versions"]] == [
        "retired", "retired", "rejected",
    ]  # fmt: skip
    audit = (await seeded.get("/v1/models/late/audit")).json()
    assert (audit["verified"], audit["entries"][-1]["evidence"]["reason"]) == (True, "not needed")


async def test_a_model_made_elsewhere_is_stored_and_its_registration_requested(
    seeded: httpx.AsyncClient, artifacts: Artifacts
) -> None:
    content = onnx_model("elsewhere")
    path, by = "/v1/models/late/versions?reason=new+loss", bearer(Role.ENGINEER)
    requested = await seeded.post(path, content=content, headers=by)
    assert requested.status_code == 202
    body = requested.json()
    assert (body["status"], body["artifact"]) == ("requested", digest_of(content))
    assert await artifacts.get(body["artifact"]) == content
    entry = (await seeded.get("/v1/models/late/audit")).json()["entries"][-1]
    assert (entry["action"], entry["decided_by"]) == ("registration_requested", "engineer")
    assert (entry["evidence"]["trigger"]["id"], entry["evidence"]["reason"]) == (body["trigger_id"], "new loss")


async def test_bodies_may_be_compressed(seeded: httpx.AsyncClient, spec_text: str) -> None:
    compressed = {"content-encoding": "gzip"}
    spec, model = gzip.compress(spec_text.encode()), gzip.compress(onnx_model("compressed"))
    assert (await seeded.put("/v1/specs", content=spec, headers=compressed)).json()["changed"] is False
    registered = await seeded.post("/v1/models/late/versions", content=model, headers=compressed)
    assert (registered.status_code, registered.json()["artifact"]) == (202, digest_of(onnx_model("compressed")))
    for method, path in (("PUT", "/v1/specs"), ("POST", "/v1/models/late/versions")):
        refused = await seeded.request(method, path, content=b"x", headers={"content-encoding": "br"})
        assert (refused.status_code, refused.json()["code"]) == (415, "unsupported_encoding")
    bomb = gzip.compress(b"#" * 300_000)
    refused = await seeded.put("/v1/specs", content=bomb, headers=compressed)
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_spec")
    assert "256 KiB" in refused.json()["detail"]


async def test_a_file_that_cannot_be_registered_is_refused(seeded: httpx.AsyncClient, artifacts: Artifacts) -> None:
    refused = await seeded.post("/v1/models/gone/versions", content=onnx_model("elsewhere"))
    assert (refused.status_code, refused.json()["code"]) == (404, "unknown_model")
    pickled = b"\x80\x04\x95pickle"
    refused = await seeded.post("/v1/models/late/versions", content=pickled)
    assert (refused.status_code, refused.json()["code"]) == (422, "not_onnx")
    assert "the file can't be registered, it is not an ONNX model: send the bytes of an ONNX model" in refused.text
    with pytest.raises(ArtifactMissingError):
        await artifacts.get(digest_of(pickled))
    champion = (await seeded.get("/v1/models/late/versions/2/artifact")).content
    refused = await seeded.post("/v1/models/late/versions", content=champion)
    assert (refused.status_code, refused.json()["code"]) == (409, "already_serving")
    assert await artifacts.has(digest_of(champion)), "what a version needs stays"
    assert "version 2 of late, which serves, is this very file: nothing to register" in refused.json()["detail"]


async def test_a_model_with_too_many_parts_is_refused_before_it_is_parsed(seeded: httpx.AsyncClient) -> None:
    graph = onnx.GraphProto(node=[onnx.NodeProto()] * 500_001)
    content = onnx.ModelProto(graph=graph).SerializeToString()
    refused = await seeded.post("/v1/models/late/versions", content=content)
    assert (refused.status_code, refused.json()["code"]) == (413, "model_too_complex")
    detail = refused.json()["detail"]
    assert "the model is not read, it has more than 500,000 nodes, tensors and other messages" in detail
    assert "join its nodes, such as trees, into fewer operators" in detail


async def test_few_models_are_in_memory_at_the_same_time(seeded: httpx.AsyncClient) -> None:
    reading, most, model, barrier = 0, 0, onnx_model("parallel"), asyncio.Barrier(MAX_UPLOADS)

    async def body() -> AsyncIterator[bytes]:
        nonlocal reading, most
        reading += 1
        most = max(most, reading)
        await barrier.wait()
        yield model
        reading -= 1

    posted = (seeded.post("/v1/models/late/versions", content=body()) for _ in range(2 * MAX_UPLOADS))
    assert {answer.status_code for answer in await asyncio.gather(*posted)} == {202}
    assert most == MAX_UPLOADS


async def test_a_model_is_read_up_to_the_limit(
    registry_database: Database, artifacts: Artifacts, client: httpx.AsyncClient, spec_text: str
) -> None:
    await client.put("/v1/specs", content=spec_text)
    api, queries = app.api(), PostgresQueries(registry_database)
    open_api(api, ApiContext(PostgresStore(registry_database), queries, artifacts, AuditVerifier(queries), 100))

    async def unannounced() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b"x" * 60

    transport = httpx.ASGITransport(guarded(Health(), await token_cache(), api))
    async with httpx.AsyncClient(transport=transport, base_url="http://registry", headers=bearer()) as limited:
        for content in (b"x" * 101, unannounced()):
            refused = await limited.post("/v1/models/late/versions", content=content)
            assert (refused.status_code, refused.json()["code"]) == (413, "model_too_large")
            assert "the model is larger than 100 bytes, the limit of this registry" in refused.json()["detail"]
