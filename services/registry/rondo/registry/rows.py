"""Between the rows of the registry's tables and its values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from rondo.contracts.deployment import ReplicaChanged, Route
from rondo.contracts.models import GateResult
from rondo.contracts.spec import ModelSpec
from rondo.contracts.training import ModelTrained, Trigger
from rondo.registry.audit import Record
from rondo.registry.history import Deployment
from rondo.registry.runs import Run
from rondo.registry.versions import Candidate, Model, Version

if TYPE_CHECKING:
    from collections.abc import Mapping

    from asyncpg.pool import PoolConnectionProxy

    from rondo.registry.refusals import Words

GATES = TypeAdapter(tuple[GateResult, ...])
ROUTES = TypeAdapter(tuple[Route, ...])
_MODEL_SQL = (
    "select m.*, s.spec from models m join specs s on s.model = m.name and s.revision = m.spec_revision"
    " where m.name = $1"
)
_VERSIONS_SQL = "select number, run_id, digest, state, passed, features from versions where model = $1 order by number"
_DEPLOYMENTS_SQL = "select * from deployments where model = $1 order by revision"


async def load_model(sql: PoolConnectionProxy[Any], name: str) -> Model | None:
    """Load a model with its versions and what it served; None when it has no spec."""
    row = await sql.fetchrow(_MODEL_SQL, name)
    if row is None:
        return None
    deployments = await load_deployments(sql, name)
    champions = (r.model_version for d in deployments for r in d.routes if r.role == "champion")
    return Model(
        name=row["name"],
        spec=ModelSpec.from_json(row["spec"]),
        spec_revision=row["spec_revision"],
        revision=row["revision"],
        last_version=row["last_version"],
        versions={v["number"]: version(v) for v in await sql.fetch(_VERSIONS_SQL, name)},
        routes=deployments[-1].routes if deployments else (),
        served=tuple(champions),
    )


async def load_deployments(sql: PoolConnectionProxy[Any], name: str) -> tuple[Deployment, ...]:
    """Load every deployment of a model, oldest first."""
    return tuple(
        Deployment(
            revision=row["revision"],
            routes=ROUTES.validate_json(row["routes"]),
            decided_by=row["decided_by"],
            reason=row["reason"],
            at=row["at"],
        )
        for row in await sql.fetch(_DEPLOYMENTS_SQL, name)
    )


async def load_words(sql: PoolConnectionProxy[Any], name: str) -> Words:
    """Load the last word of each replica on each version of a model."""
    found = await sql.fetch("select * from replicas where model = $1 order by replica, model_version", name)
    return tuple(ReplicaChanged(**dict(row)) for row in found)


def version(row: Mapping[str, Any]) -> Version:
    """Read a row of `versions`."""
    return Version(row["number"], row["digest"], row["run_id"], row["state"], row["passed"], row["features"])


def candidate(row: Mapping[str, Any]) -> Candidate:
    """Read what is known of a version for good."""
    return Candidate(ModelTrained.model_validate_json(row["trained"]), GATES.validate_json(row["gates"]))


def run(row: Mapping[str, Any]) -> Run:
    """Read a row of `runs`."""
    known = {name: row[name] for name in ("run_id", "model", "state", "started_at", "finished_at", "detail")}
    return Run(**known, trigger=Trigger.model_validate_json(row["trigger"]))


def record(row: Mapping[str, Any]) -> Record:
    """Read a row of `audit`."""
    return Record(**dict(row))
