"""Models, versions and decisions over HTTP, of a registry with two versions that served."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rondo.contracts.access_tokens import Role
from rondo.contracts.events.cloudevents import Envelope
from rondo.contracts.events.deployment import ReplicaChanged
from rondo.registry import handlers
from rondo.registry.postgres.unit_of_work import PostgresStore

from tests.registry.builders import onnx_model
from tests.support.access import bearer
from tests.support.evidence import put_evidence

if TYPE_CHECKING:
    from pathlib import Path

    import httpx
    from rondo.chassis.artifacts import Artifacts
    from rondo.chassis.postgres.pool import Database

Make = Callable[..., Any]


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


async def test_a_predictor_and_an_engineer_may_request_a_scoring(seeded: httpx.AsyncClient) -> None:
    path, body = "/v1/models/late/versions/1/scoring-jobs", {"dataset": "flights", "data_version": 3}
    answers = [
        await seeded.post(path, json=body, headers=bearer(role))
        for role in (Role.PREDICTOR, Role.ENGINEER, Role.READER)
    ]
    assert [answer.status_code for answer in answers] == [202, 202, 403]
    assert answers[0].json()["job"] == answers[1].json()["job"]
    assert answers[0].json()["model_version"] == 1
    outside = await seeded.post(path, json=body | {"dataset": "../models"})
    assert outside.status_code == 422
