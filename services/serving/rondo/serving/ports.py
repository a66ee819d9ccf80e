"""What the handlers of serving need from outside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from rondo.contracts.events.deployment import Route
    from rondo.contracts.vocabularies import ReplicaState
    from rondo.serving.models.loaded_version import Version


class Loader(Protocol):
    """Where versions come from."""

    async def load(self, model: str, route: Route, /) -> Version:
        """Fetch, check and warm up a version.

        Raises:
            VersionRefusedError: it can't be served.
            UnavailableError: the artifact store is away; asking again helps.

        """
        ...


class Announcer(Protocol):
    """Who hears what this replica does."""

    async def announce(
        self, model: str, revision: int, version: tuple[int, str], state: ReplicaState, detail: str = ""
    ) -> None:
        """Publish a ReplicaChanged; returns when Kafka has it."""
        ...
