"""A model, its versions, and a decision about them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from pydantic import TypeAdapter

from rondo.contracts.events.deployment import Route
from rondo.contracts.spec.model import Feature, Serving
from rondo.contracts.vocabularies import RouteRole, VersionState
from rondo.registry.errors import StaleRevisionError, UnknownVersionError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from rondo.contracts.events.base import Event
    from rondo.contracts.events.models import GateResult
    from rondo.contracts.events.training import ModelTrained
    from rondo.contracts.spec.model import ModelSpec
    from rondo.registry.audit.hash_chain import AuditEntry

# A version in one of these states serves, or may serve again.
IN_SERVICE = (VersionState.CHAMPION, VersionState.STANDBY, VersionState.WAITING, VersionState.ROLLING_OUT)
SIGNATURE = TypeAdapter(dict[str, Feature])


@dataclass(frozen=True)
class Version:
    """A version of a model. `signature` is the JSON of its features, in the order that it was trained on."""

    number: int
    digest: str
    run_id: str
    state: VersionState
    passed: bool
    signature: str

    @property
    def features(self) -> dict[str, Feature]:
        """The features in the order of the signature."""
        return SIGNATURE.validate_json(self.signature)

    def route(self, role: RouteRole = RouteRole.PRIMARY, share: float = 1.0) -> Route:
        """Return the route that sends `share` (0 to 1) of the traffic to this version."""
        return Route(model_version=self.number, digest=self.digest, share=share, role=role, features=self.features)


@dataclass(frozen=True)
class Model:
    """A registered model. `revision` counts its deployments. `served` has the champions in order, oldest first."""

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
        return next((self.versions[r.model_version] for r in self.routes if r.role == RouteRole.PRIMARY), None)

    @property
    def waiting(self) -> Version | None:
        """The newest version that waits for its rollout."""
        waiting = [version for version in self.versions.values() if version.state == VersionState.WAITING]
        return max(waiting, key=lambda version: version.number, default=None)

    @property
    def serving(self) -> tuple[Version, ...]:
        """The versions that have a route."""
        return tuple(self.versions[r.model_version] for r in self.routes)

    def version(self, number: int) -> Version:
        """Return a version in any state, including rejected ones.

        Raises:
            UnknownVersionError: there is no version with this number.

        """
        if number not in self.versions:
            raise UnknownVersionError(self.name, number, self.last_version)
        return self.versions[number]

    def version_of_run(self, run_id: str) -> Version | None:
        return next((v for v in self.versions.values() if v.run_id == run_id), None)

    def require_revision(self, revision: int | None) -> None:
        """Check that the deployment is still at the revision that a caller has read. None disables the check.

        Raises:
            StaleRevisionError: the deployment has changed.

        """
        if revision is not None and revision != self.revision:
            raise StaleRevisionError(self.name, revision, self.revision)

    def with_states(self, states: Mapping[int, VersionState]) -> Model:
        """Return the model with new states of some versions."""
        changed = {number: replace(self.versions[number], state=state) for number, state in states.items()}
        return replace(self, versions={**self.versions, **changed})

    def with_routes(self, *routes: Route) -> Model:
        """Return the model at its next deployment revision. Its routes use the serving settings of the current spec."""
        # Fields are copied one by one, because a dump of the settings omits those that have their default.
        serving = {name: getattr(self.spec.serving, name) for name in Serving.model_fields}
        routes = tuple(route.model_copy(update=serving) for route in routes)
        champion = tuple(r.model_version for r in routes if r.role == RouteRole.PRIMARY)
        return replace(self, revision=self.revision + 1, routes=routes, served=(*self.served, *champion))


@dataclass(frozen=True)
class Actor:
    """The person or service that decided, and the reason."""

    name: str
    reason: str = ""


SYSTEM = Actor("registry")
SCHEDULER = Actor("schedule")
SYSTEM_NAMES = frozenset({SYSTEM.name, SCHEDULER.name})


@dataclass(frozen=True)
class Candidate:
    """The permanent facts about a version: the event that announced it, and the results of its gates."""

    trained: ModelTrained
    gates: tuple[GateResult, ...]


@dataclass(frozen=True)
class RegisteredVersion:
    """A version with everything that is stored about it."""

    version: Version
    candidate: Candidate
    registered_at: datetime


@dataclass(frozen=True)
class Decision:
    """The changes of a decision, the events that it publishes, and its entries in the audit log."""

    before: Model
    after: Model
    actor: Actor
    events: tuple[Event, ...]
    audit_entries: tuple[AuditEntry, ...]
    candidate: Candidate | None = None
