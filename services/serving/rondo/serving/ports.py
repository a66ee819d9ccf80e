"""The protocols of external dependencies that the handlers of serving need."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from rondo.contracts.events.deployment import Route
    from rondo.contracts.vocabularies import ReplicaState
    from rondo.serving.models.loaded_version import LoadedVersion


class Loader(Protocol):
    async def load(self, model: str, route: Route, /) -> LoadedVersion:
        """Fetch a version by its digest, check it against the route and warm it up.

        Raises:
            VersionRefusedError: the version can't be served.
            UnavailableError: the artifact store is unavailable. A retry may succeed.

        """
        ...


class ReplicaEvents(Protocol):
    """Publishes `ReplicaChanged`."""

    async def publish(
        self, model: str, revision: int, version: tuple[int, str], state: ReplicaState, detail: str = ""
    ) -> None:
        """Publish the state of a version (number and digest). Retry until Kafka has the event."""
        ...
