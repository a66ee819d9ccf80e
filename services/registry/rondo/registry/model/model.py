"""The values that every decision of the registry is about: a model, its versions, and a decision itself."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from pydantic import TypeAdapter

from rondo.contracts.events.deployment import Route
from rondo.contracts.spec.model import Feature
from rondo.contracts.vocabularies import Role
from rondo.registry.errors import StaleRevisionError, UnknownVersionError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from rondo.contracts.events.base import Event
    from rondo.contracts.events.models import GateResult
    from rondo.contracts.events.training import ModelTrained
    from rondo.contracts.spec.model import ModelSpec
    from rondo.registry.audit.hash_chain import Statement

# `standby` waits for a rollback; `rolled_back` served and was found wanting; `retired` left service for good.
State = Literal["rejected", "champion", "standby", "retired", "rolled_back"]
SIGNATURE = TypeAdapter(dict[str, Feature])


@dataclass(frozen=True)
class Version:
    """A version of a model. `signature` is the JSON of its features, in the order that it was trained on."""

    number: int
    digest: str
    run_id: str
    state: State
    passed: bool
    signature: str

    def route(self, role: Role = Role.PRIMARY, share: float = 1.0) -> Route:
        """Return the route that sends `share` (0 to 1) of the traffic to this version."""
        features = SIGNATURE.validate_json(self.signature)
        return Route(model_version=self.number, digest=self.digest, share=share, role=role, features=features)


@dataclass(frozen=True)
class Model:
    """A registered model. `revision` counts its deployments; `served` names the champion of each, oldest first."""

    name: str
    spec: ModelSpec
    spec_revision: int
    revision: int = 0
    last_version: int = 0
    versions: Mapping[int, Version] = field(default_factory=dict)
    routes: tuple[Route, ...] = ()
    served: tuple[int, ...] = ()

    @property
    def champion(self) -> Version | None:
        """The version that serves."""
        return next((self.versions[r.model_version] for r in self.routes if r.role == Role.PRIMARY), None)

    def version(self, number: int) -> Version:
        """Return a version.

        Raises:
            UnknownVersionError: there is none of this number.

        """
        if number not in self.versions:
            raise UnknownVersionError(self.name, number, self.last_version)
        return self.versions[number]

    def of_run(self, run_id: str) -> Version | None:
        """Return the version that a run made."""
        return next((v for v in self.versions.values() if v.run_id == run_id), None)

    def expect(self, revision: int | None) -> None:
        """Check that the deployment is still at the revision that a caller saw; None expects nothing.

        Raises:
            StaleRevisionError: it moved on.

        """
        if revision is not None and revision != self.revision:
            raise StaleRevisionError(self.name, revision, self.revision)

    def with_states(self, states: Mapping[int, State]) -> Model:
        """Return the model with some versions in other states."""
        changed = {number: replace(self.versions[number], state=state) for number, state in states.items()}
        return replace(self, versions={**self.versions, **changed})

    def with_routes(self, *routes: Route) -> Model:
        """Return the model at its next deployment revision."""
        champion = tuple(r.model_version for r in routes if r.role == Role.PRIMARY)
        return replace(self, revision=self.revision + 1, routes=routes, served=(*self.served, *champion))


@dataclass(frozen=True)
class Cause:
    """Who decided, and why in their words."""

    decided_by: str
    reason: str = ""


BY_RULE = Cause("registry")


@dataclass(frozen=True)
class Candidate:
    """What is known of a version for good: the event that brought it, and what its gates saw."""

    trained: ModelTrained
    gates: tuple[GateResult, ...]


@dataclass(frozen=True)
class Registered:
    """A version with all that is known of it."""

    version: Version
    candidate: Candidate
    registered_at: datetime


@dataclass(frozen=True)
class Decision:
    """What a decision changes, and what it says: to everybody (`events`) and to the audit log (`statements`)."""

    before: Model
    after: Model
    cause: Cause
    events: tuple[Event, ...]
    statements: tuple[Statement, ...]
    candidate: Candidate | None = None
