"""Between the rows of the registry's tables and its values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from rondo.contracts.events.deployment import ReplicaChanged, Route
from rondo.contracts.events.models import GateResult
from rondo.contracts.events.training import ModelTrained, Trigger
from rondo.contracts.spec.model import ModelSpec
from rondo.registry.audit.hash_chain import Record
from rondo.registry.model.deployments import Deployment
from rondo.registry.model.model import Candidate, Model, Registered, Version
from rondo.registry.model.runs import Run

if TYPE_CHECKING:
    from collections.abc import Mapping

GATES = TypeAdapter(tuple[GateResult, ...])
ROUTES = TypeAdapter(tuple[Route, ...])


def model(row: Mapping[str, Any], versions: Mapping[int, Version]) -> Model:
    """Read a row of `models`, with its spec, the routes of its latest deployment, and the champions of all."""
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
    """Read a row of `versions`."""
    return Version(row["number"], row["digest"], row["run_id"], row["state"], row["passed"], row["features"])


def candidate(row: Mapping[str, Any]) -> Candidate:
    """Read what is known of a version for good."""
    return Candidate(ModelTrained.model_validate_json(row["trained"]), GATES.validate_json(row["gates"]))


def registered(row: Mapping[str, Any]) -> Registered:
    """Read all of a row of `versions`."""
    return Registered(version(row), candidate(row), row["registered_at"])


def deployment(row: Mapping[str, Any]) -> Deployment:
    """Read a row of `deployments`."""
    known = {name: row[name] for name in ("revision", "decided_by", "reason", "at")}
    return Deployment(**known, routes=ROUTES.validate_json(row["routes"]))


def word(row: Mapping[str, Any]) -> ReplicaChanged:
    """Read a row of `replicas`."""
    return ReplicaChanged(**dict(row))


def run(row: Mapping[str, Any]) -> Run:
    """Read a row of `runs`."""
    known = {name: row[name] for name in ("run_id", "model", "state", "started_at", "finished_at", "detail")}
    return Run(**known, trigger=Trigger.model_validate_json(row["trigger"]))


def record(row: Mapping[str, Any]) -> Record:
    """Read a row of `audit`."""
    return Record(**dict(row))
