"""What the handlers and the HTTP API need of the world."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractAsyncContextManager
    from datetime import datetime

    from rondo.contracts.events.base import Event
    from rondo.contracts.spec.model import ModelSpec
    from rondo.registry.audit.hash_chain import Head, Record, Statement
    from rondo.registry.model.deployments import Deployment
    from rondo.registry.model.model import Candidate, Cause, Decision, Model, Registered
    from rondo.registry.model.runs import Run
    from rondo.registry.rollout.replica_reports import Words


class Work(Protocol):
    """A unit of work: all that is saved and published in it becomes true at once, or not at all."""

    async def find(self, model: str) -> Model | None:
        """Load a model and keep every other writer away from it until the work ends; None when it has no spec."""
        ...

    async def names(self) -> tuple[str, ...]:
        """Return the names of all models, sorted."""
        ...

    async def spec(self, model: str, digest: str) -> ModelSpec | None:
        """Return a spec that was in force once, by its digest."""
        ...

    async def candidate(self, model: str, version: int) -> Candidate:
        """Return what is known of a version that the model has."""
        ...

    async def apply(self, spec: ModelSpec, revision: int, cause: Cause) -> None:
        """Bring a spec into force as `revision`, and say so."""
        ...

    async def save(self, decision: Decision) -> None:
        """Save what a decision changes, publish its events, append its statements to the audit log.

        Raises:
            StaleRevisionError: the deployment is not where `decision.before` saw it.

        """
        ...

    async def state(self, model: str, cause: Cause, statement: Statement) -> None:
        """Append a statement to the audit log of a model that exists."""
        ...

    async def words(self, model: str) -> Words:
        """Return the last word of each replica on each version of a model."""
        ...

    async def keep_words(self, model: str, words: Words) -> None:
        """Save the last words of the replicas on a model, in place of those before."""
        ...

    async def record(self, run: Run) -> None:
        """Save what is known of a run; one that ended stays ended."""
        ...

    async def publish(self, event: Event, event_id: str | None = None) -> str:
        """Publish an event when the work is done. Returns its id."""
        ...

    async def schedule_base(self, model: str, expression: str) -> datetime:
        """Return the time up to which a schedule is settled: its last due time, or when its spec came into force."""
        ...

    async def settle_schedule(self, model: str, expression: str, due: datetime) -> None:
        """Remember that a due time was acted on."""
        ...


class Store(Protocol):
    """Where the registry's state is: it opens units of work for whoever is not an event."""

    def work(self) -> AbstractAsyncContextManager[Work]:
        """Open a unit of work; it is done when the body ends, and undone when it raises."""
        ...


class Artifacts(Protocol):
    """The store of artifacts."""

    async def get(self, digest: str) -> bytes:
        """Return an artifact, checked against its digest.

        Raises:
            ArtifactMissingError: there is none.
            ArtifactCorruptError: its bytes are others.
            UnavailableError: the store can't be read.

        """
        ...


class Archive(Protocol):
    """What people ask about. Reads wait for no writer.

    Whatever is asked of a model that has no spec raises UnknownModelError.
    """

    async def models(self) -> Sequence[Model]:
        """Return all models, by name."""
        ...

    async def model(self, name: str) -> Model:
        """Return a model."""
        ...

    async def specs(self) -> Sequence[ModelSpec]:
        """Return the spec in force of each model, by name."""
        ...

    async def versions(self, model: str) -> Sequence[Registered]:
        """Return all that is known of each version, oldest first."""
        ...

    async def version(self, model: str, number: int) -> Registered:
        """Return all that is known of one version.

        Raises:
            UnknownVersionError: it has no such version.

        """
        ...

    async def deployments(self, model: str) -> Sequence[Deployment]:
        """Return every deployment, oldest first."""
        ...

    async def audit(self, model: str) -> tuple[Sequence[Record], Head]:
        """Return the records of the audit log, oldest first, with the head that is kept apart."""
        ...

    async def audit_head(self, model: str) -> Head:
        """Return where the audit log ends."""
        ...

    async def words(self, model: str) -> Words:
        """Return the last word of each replica on each version of a model."""
        ...

    async def unsettled(self) -> Sequence[tuple[str, int]]:
        """Return model and revision of the deployments that some replica refuses, and that none serves."""
        ...

    async def runs(self, model: str | None, limit: int) -> Sequence[Run]:
        """Return the latest runs, newest first."""
        ...
