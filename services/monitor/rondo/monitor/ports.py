"""What the handlers and the watching need of the world."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rondo.contracts.spec.model import ModelSpec
    from rondo.monitor.alerts.findings import Announcement
    from rondo.monitor.detectors.reference import Profiled

Position = tuple[str, int]


@dataclass(frozen=True)
class Champion:
    """The version in production, by the deployment's revision."""

    revision: int
    version: int
    digest: str


@dataclass(frozen=True)
class Knowledge:
    """What the control plane has said: the spec and the champion of each model."""

    specs: Mapping[str, ModelSpec]
    champions: Mapping[str, Champion]


@dataclass(frozen=True)
class Kept:
    """Waiting rows as they are kept, in Arrow IPC: `parts`, in the order of their saves, and which rows are `alive`.

    Loaded, the parts are all there are. Saved, they are those of this save: behind the earlier ones, or in their
    place if they are the `whole`. Nothing in `alive` says that every row is.
    """

    alive: bytes
    parts: tuple[bytes, ...]
    whole: bool = True


# The waiting rows of a model, by what they are.
KINDS_KEPT = ("predictions", "outcomes", "held")


@dataclass(frozen=True)
class SavedWatch:
    """A model's state as it is kept: figures as JSON, the open windows as Arrow IPC, what waits by `KINDS_KEPT`."""

    figures: Mapping[str, object]
    windows: bytes
    waiting: Mapping[str, Kept]


@dataclass(frozen=True)
class Saved:
    """All that a restart needs. `turn` counts the saves: a second process that saves too is found out by it."""

    turn: int
    positions: Mapping[Position, int]
    watches: Mapping[str, SavedWatch]


class Work(Protocol):
    """The unit of work of one event of the control plane."""

    async def save_spec(self, model: str, revision: int, spec: ModelSpec) -> None:
        """Keep a spec, unless a later revision is known."""
        ...

    async def save_profile(self, digest: str, profiled: Profiled) -> None:
        """Keep the profile of an artifact."""
        ...

    async def save_champion(self, model: str, champion: Champion) -> None:
        """Keep who is champion, unless a later revision is known."""
        ...


class Store(Protocol):
    """Where the watching keeps its state. Every method raises UnavailableError while the store is away."""

    async def load(self) -> Saved:
        """Return what was saved last."""
        ...

    async def knowledge(self) -> Knowledge:
        """Return what the control plane has said so far."""
        ...

    async def profiles(self, digests: Sequence[str]) -> Mapping[str, Profiled]:
        """Return the profiles that are known among these."""
        ...

    async def save(self, saved: Saved, announcements: Sequence[Announcement]) -> None:
        """Save positions, the given watches and what is to be announced: all of it, or nothing.

        Raises:
            FencedError: another process has saved since; this one has to load again.

        """
        ...


class News(Protocol):
    """Tells whether the control plane said something since it was asked last."""

    def heard(self) -> bool:
        """Return True once after each change."""
        ...
