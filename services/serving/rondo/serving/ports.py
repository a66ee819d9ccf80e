"""What the decisions of serving need from outside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from rondo.contracts.deployment import ReplicaState, Route
    from rondo.serving.layout import Column
    from rondo.serving.versions import Version


class Scorer(Protocol):
    """A loaded model."""

    def score(self, columns: Mapping[str, Column], /) -> NDArray[np.float32]:
        """Return one score per row, shape [N], for columns of shape [N]."""
        ...


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
