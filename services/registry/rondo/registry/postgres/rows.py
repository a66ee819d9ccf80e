"""Maps rows of the tables to values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from rondo.contracts.events.deployment import ReplicaChanged, Route
from rondo.contracts.events.models import GateResult
from rondo.contracts.events.training import ModelTrained, Trigger
from rondo.contracts.spec.model import ModelSpec
from rondo.registry.audit.hash_chain import AuditRecord
from rondo.registry.model.deployments import Deployment
from rondo.registry.model.model import Candidate, Model, RegisteredVersion, Version
from rondo.registry.model.runs import Run

if TYPE_CHECKING:
    from collections.abc import Mapping

GATES = TypeAdapter(tuple[GateResult, ...])
ROUTES = TypeAdapter(tuple[Route, ...])


def model(row: Mapping[str, Any], versions: Mapping[int, Version]) -> Model:
    """Map a row of `models` joined with its spec, the routes of its latest deployment, and its former champions."""
    return Model(
        name=row["name"],
        spec=ModelSpec.from_json(row["spec"]),
        spec_revision=row["spec_revision"],
        revision=row["revision"],
        last_version=row["last_version"],
        versions=versions,
        routes=ROUTES.validate_json(row["routes"]) if row["routes"] else (),
        served=tuple(row["served"] or ()),
    )


def version(row: Mapping[str, Any]) -> Version:
    return Version(row["number"], row["digest"], row["run_id"], row["state"], row["passed"], row["features"])


def candidate(row: Mapping[str, Any]) -> Candidate:
    return Candidate(ModelTrained.model_validate_json(row["trained"]), GATES.validate_json(row["gates"]))


def registered(row: Mapping[str, Any]) -> RegisteredVersion:
    return RegisteredVersion(version(row), candidate(row), row["registered_at"])


def deployment(row: Mapping[str, Any]) -> Deployment:
    known = {name: row[name] for name in ("revision", "decided_by", "reason", "at")}
    return Deployment(**known, routes=ROUTES.validate_json(row["routes"]))


def replica_report(row: Mapping[str, Any]) -> ReplicaChanged:
    return ReplicaChanged(**dict(row))


def run(row: Mapping[str, Any]) -> Run:
    known = {name: row[name] for name in ("run_id", "model", "state", "reason", "started_at", "finished_at", "detail")}
    return Run(**known, trigger=Trigger.model_validate_json(row["trigger"]))


def record(row: Mapping[str, Any]) -> AuditRecord:
    return AuditRecord(**dict(row))
