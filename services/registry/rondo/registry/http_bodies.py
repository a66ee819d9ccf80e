"""What the HTTP API takes and gives, as documented in its OpenAPI."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from rondo.contracts.deployment import ReplicaState, Route
from rondo.contracts.event import Digest, Utc, Value
from rondo.contracts.models import GateResult
from rondo.contracts.training import Evidence, Trigger
from rondo.registry.history import Period
from rondo.registry.runs import Run
from rondo.registry.versions import State

Who = Annotated[str, Field(min_length=1, max_length=128)]
Reason = Annotated[str, Field(max_length=1_000)]


class Command(BaseModel):
    """What a person asks for. `decided_by` goes into the audit log; the header `X-Rondo-User` does as well."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    reason: Reason = ""
    decided_by: Who | None = None


class Promote(Command):
    """Promote a version; `override` takes the responsibility for one that did not pass its gates.

    `revision`, where given, is the deployment that the caller saw: if it is another by now, nothing is done (409).
    """

    version: Annotated[int, Field(ge=1)]
    override: bool = False
    revision: int | None = None


class RollBack(Command):
    """Go back to `version`, or to the previous one. `revision` as for a promotion."""

    version: Annotated[int, Field(ge=1)] | None = None
    revision: int | None = None


class Train(Command):
    """Train now. `at` is the event time whose knowledge to train with; the present by default."""

    at: Utc | None = None


class Refusal(BaseModel):
    """Every error: a short name, a sentence with what to do, and for some errors more."""

    model_config = ConfigDict(extra="allow")

    error: str
    message: str


class AppliedSpec(Value):
    """The spec is in force as `revision`; `changed` is false when it was before."""

    model: str
    revision: int
    digest: Digest
    changed: bool
    warnings: tuple[str, ...] = ()


class SpecView(Value):
    """The spec in force."""

    model: str
    revision: int
    digest: Digest
    spec: dict[str, Any]


class ModelView(Value):
    """A model: its spec, its champion and what should serve. `revision` counts the deployments."""

    model: str
    spec_revision: int
    spec_digest: Digest
    revision: int
    champion: int | None
    last_version: int
    routes: tuple[Route, ...]


class VersionView(Value):
    """A version, what its gates saw and what asked for it."""

    model: str
    model_version: int
    state: State
    passed: bool
    digest: Digest
    run_id: str
    registered_at: Utc
    metrics: dict[str, float]
    trigger: Trigger
    gates: tuple[GateResult, ...]


class VersionDetail(VersionView):
    """A version with all its evidence. `size` is the artifact's, in bytes."""

    size: int
    evidence: Evidence


class Models(Value):
    """All models, by name."""

    models: tuple[ModelView, ...]


class Versions(Value):
    """The versions of a model, oldest first."""

    model: str
    versions: tuple[VersionView, ...]


class History(Value):
    """When which version was in production, oldest first."""

    model: str
    periods: tuple[Period, ...]


class Replica(Value):
    """The last word of a replica on one version: which deployment it was about, and why it refused."""

    replica: str
    model_version: int
    revision: int
    state: ReplicaState
    detail: str
    at: Utc


class Replicas(Value):
    """What the replicas said last of a model that should be at deployment `revision`, by replica and version."""

    model: str
    revision: int
    replicas: tuple[Replica, ...]


class AuditEntry(Value):
    """One record of the audit log. The hash covers `evidence` as canonical JSON (sorted keys, no spaces)."""

    number: int
    at: Utc
    action: str
    decided_by: str
    evidence: dict[str, Any]
    previous_hash: str
    hash: str


class AuditLog(Value):
    """The audit log of a model, oldest first, and whether its chain of hashes is whole."""

    model: str
    verified: bool
    message: str
    broken_at: int | None
    entries: tuple[AuditEntry, ...]


class Runs(Value):
    """Training runs, newest first."""

    runs: tuple[Run, ...]


class Requested(Value):
    """A training was asked for; `trigger_id` finds its run among the runs, if the trainer admits it."""

    model: str
    trigger_id: str
    status: Literal["requested"] = "requested"
