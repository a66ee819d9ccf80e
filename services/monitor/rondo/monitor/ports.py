"""The ports of the handlers and the pipeline, and the values that they exchange."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from rondo.contracts.spec.model import ModelSpec
    from rondo.contracts.training_evidence import ReferenceProfile
    from rondo.monitor.alerts.findings import Announcement
    from rondo.monitor.evidence.reference import Reference
    from rondo.monitor.quality.skew import ServedSkew
    from rondo.monitor.user_detectors.block_figures import BlockFigures, SampledBlock
    from rondo.monitor.user_detectors.user_figures import UserFigures
    from rondo.monitor.windows.window_counts import WindowCounts

# The topic and the partition.
Position = tuple[str, int]
# The tables of a model that grow. They are stored in segments.
TABLES = ("predictions", "outcomes", "labelled", "buffered", "compared")


@dataclass(frozen=True)
class ChampionRevision:
    """The version in production, as of a revision of the deployment."""

    revision: int
    version: int
    digest: str


@dataclass(frozen=True)
class ControlPlaneSnapshot:
    """The latest spec and champion of each model, and the revision of its last removal if it was removed.

    `skews` are the comparisons of served with published values. `undecided_rollouts` are the ids of the open alerts
    about rollouts that wait for a person, by model.
    """

    specs: Mapping[str, ModelSpec]
    champions: Mapping[str, ChampionRevision]
    removals: Mapping[str, int] = field(default_factory=dict)
    skews: Mapping[str, ServedSkew] = field(default_factory=dict)
    undecided_rollouts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ModelRevision:
    """The revisions that determine a model's status: of its spec and champion, and the generation of its checkpoint.

    `generation` is -1 if there is no checkpoint. `profiled` is whether the champion's profile is known.
    `undecided_rollout` is the id of the open alert about a rollout that waits for a person, None without one.
    """

    spec: int
    champion: int
    generation: int
    profiled: bool
    undecided_rollout: str | None = None


@dataclass(frozen=True)
class StoredTable:
    """A table in Arrow IPC: `segments`, in the order they were saved, and a bitmap of the rows that are `live`.

    A loaded table has all segments. A table to be saved has new segments, which are appended to the stored ones, or
    replace them if `replace` is set. An empty `live` means that all rows are live.
    """

    live: bytes
    segments: tuple[bytes, ...]
    replace: bool = True


@dataclass(frozen=True)
class ModelCheckpoint:
    """A model's state: figures as JSON, open windows and evidence as Arrow IPC, and the tables by name (`TABLES`)."""

    figures: Mapping[str, object]
    windows: bytes
    evidence: bytes
    tables: Mapping[str, StoredTable]


@dataclass(frozen=True)
class Checkpoint:
    """The data of a partition number that a restart needs.

    `generation` counts the saves of the number. It fences off a stale process.
    """

    generation: int
    positions: Mapping[Position, int]
    models: Mapping[str, ModelCheckpoint]


@dataclass(frozen=True)
class SavedModel:
    """A model that any replica can load: its last checkpoint, None before the first, and the control plane's data."""

    checkpoint: ModelCheckpoint | None
    control_plane: ControlPlaneSnapshot


class Work(Protocol):
    """The unit of work of one event of the control plane. A save of an older revision has no effect."""

    async def save_spec(
        self, model: str, revision: int, spec: ModelSpec | None, removed_at: datetime | None = None
    ) -> None:
        """Save the spec of a model. None marks a revision that removed the model at `removed_at`."""
        ...

    async def save_profile(self, digest: str, profile: ReferenceProfile) -> None: ...

    async def save_champion(self, model: str, champion: ChampionRevision) -> None: ...

    async def skew(self, model: str) -> ServedSkew:
        """Return the measurements of a model, and lock them until the end of the unit of work."""
        ...

    async def save_skew(self, model: str, skew: ServedSkew) -> None: ...

    async def is_removed(self, model: str, since: datetime) -> bool:
        """Return whether the newest revision of a model's spec is a removal, or a removal came after `since`."""
        ...

    async def open_alerts(self, model: str, kind: str, until: datetime | None = None) -> Sequence[str]:
        """Return the ids of the open alerts of a kind. With `until`, only of those that were raised up to that time."""
        ...

    async def announce(self, announcements: Sequence[Announcement]) -> None:
        """Publish alerts, and record which are open."""
        ...


class Store(Protocol):
    """Stores the checkpoints of a partition number, and the control plane's data of its models.

    Every method raises UnavailableError while the store is unavailable.
    """

    async def load(self) -> Checkpoint:
        """Return the latest checkpoint, with all models."""
        ...

    async def control_plane(self) -> ControlPlaneSnapshot: ...

    async def profiles(self, digests: Sequence[str]) -> Mapping[str, ReferenceProfile]:
        """Return the known profiles among these digests."""
        ...

    async def save(self, checkpoint: Checkpoint, announcements: Sequence[Announcement]) -> None:
        """Save positions, the given models and the events to publish, atomically. Other models stay as they are.

        Raises:
            FencedError: another replica has saved since the last load. Load again.

        """
        ...


class SavedModels(Protocol):
    """Reads the models of all partition numbers.

    Every method raises UnavailableError while the store is unavailable.
    """

    async def revisions(self) -> Mapping[str, ModelRevision]:
        """Return the revisions of the models that have a spec."""
        ...

    async def load(self, model: str, *, tables: bool) -> SavedModel:
        """Return a model. Without `tables` the tables of its checkpoint are empty."""
        ...

    async def profiles(self, digests: Sequence[str]) -> Mapping[str, ReferenceProfile]:
        """Return the known profiles among these digests."""
        ...


class UserDetectors(Protocol):
    """Detectors that users have written."""

    def figures(self, detectors: Sequence[str], window: WindowCounts, reference: Reference) -> UserFigures:
        """Return the figures of a window from those of `detectors` that users wrote. Blocks.

        It also returns the reasons why some have none.
        """
        ...

    def block_figures(
        self, detectors: Sequence[str], blocks: Sequence[SampledBlock], reference: Reference
    ) -> BlockFigures:
        """Return the figures of blocks from these detectors. Blocks."""
        ...


class ChangeSignal(Protocol):
    """Set after the control plane's data changed."""

    def consume(self) -> bool:
        """Return whether the signal is set, and clear it."""
        ...
