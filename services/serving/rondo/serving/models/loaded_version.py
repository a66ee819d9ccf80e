"""A version that is loaded, and what serves a model: versions with their shares of its traffic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from rondo.serving.models import routing

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from rondo.serving.inference.log_batch import Log
    from rondo.serving.requests.schema import Column, Layout


class Scorer(Protocol):
    """A loaded model."""

    def score(self, columns: Mapping[str, Column], /) -> NDArray[np.float32]:
        """Return one score per row, shape [N], for columns of shape [N]."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Version:
    """A version that is loaded and warmed up."""

    model: str
    model_version: int
    digest: str
    layout: Layout
    scorer: Scorer
    log: Log


@dataclass(frozen=True, slots=True)
class Serving:
    """What serves one model: the versions with their shares, and the deployment that asked for them."""

    model: str
    revision: int
    versions: tuple[Version, ...]
    shares: tuple[float, ...]
    traceparent: str | None = None

    @property
    def layout(self) -> Layout:
        """The layout that all versions share, as they do their features."""
        return self.versions[0].layout

    def version_for(self, key: str) -> Version:
        """Return the version that answers requests with this key."""
        if len(self.versions) == 1:
            return self.versions[0]
        return self.versions[routing.choose(routing.position(self.model, key), self.shares)]
