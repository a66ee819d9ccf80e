"""Fakes of the monitor's ports, of Kafka messages, and of the clock."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rondo.contracts.events.logs import OUTCOMES_LOG, PREDICTIONS_LOG
from rondo.contracts.events.monitoring import AlertRaised, AlertResolved
from rondo.contracts.vocabularies import AlertKind
from rondo.monitor.errors import FencedError
from rondo.monitor.ports import (
    ChampionRevision,
    Checkpoint,
    ControlPlaneSnapshot,
    ModelCheckpoint,
    Position,
    StoredTable,
)
from rondo.monitor.quality.skew import ServedSkew

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from rondo.contracts.spec.model import ModelSpec
    from rondo.contracts.training_evidence import ReferenceProfile
    from rondo.monitor.alerts.findings import Announcement

UNDECIDED = AlertKind.UNDECIDED_ROLLOUT


@dataclass
class MemoryStore:
    """Implements `ports.Store`, `ports.Work` and `ports.ChangeSignal`."""

    specs: dict[str, tuple[int, ModelSpec | None]] = field(default_factory=dict)
    known_profiles: dict[str, ReferenceProfile] = field(default_factory=dict)
    champions: dict[str, ChampionRevision] = field(default_factory=dict)
    removals: dict[str, int] = field(default_factory=dict)
    removed_at: dict[str, datetime] = field(default_factory=dict)
    generation: int = 0
    positions: dict[Position, int] = field(default_factory=dict)
    models: dict[str, ModelCheckpoint] = field(default_factory=dict)
    published: list[Announcement] = field(default_factory=list)
    skews: dict[str, ServedSkew] = field(default_factory=dict)
    changed: bool = True

    async def save_spec(
        self, model: str, revision: int, spec: ModelSpec | None, removed_at: datetime | None = None
    ) -> None:
        if removed_at is not None:
            self.removed_at[model] = max(removed_at, self.removed_at.get(model, removed_at))
        if spec is None:
            self.removals[model] = max(revision, self.removals.get(model, 0))
        if model not in self.specs or self.specs[model][0] < revision:
            self.specs[model] = (revision, spec)

    async def save_profile(self, digest: str, profile: ReferenceProfile) -> None:
        self.known_profiles.setdefault(digest, profile)

    async def save_champion(self, model: str, champion: ChampionRevision) -> None:
        if model not in self.champions or self.champions[model].revision < champion.revision:
            self.champions[model] = champion

    async def skew(self, model: str) -> ServedSkew:
        return self.skews.get(model, ServedSkew())

    async def save_skew(self, model: str, skew: ServedSkew) -> None:
        self.skews[model] = skew

    async def is_removed(self, model: str, since: datetime) -> bool:
        is_removed = model in self.specs and self.specs[model][1] is None
        return is_removed or self.removed_at.get(model, since) > since

    async def open_alerts(self, model: str, kind: str, until: datetime | None = None) -> list[str]:
        events = [each.event for each in self.published]
        over = {each.alert_id for each in events if isinstance(each, AlertResolved)}
        raised = [each for each in events if isinstance(each, AlertRaised) and (each.model, each.kind) == (model, kind)]
        return [
            each.alert_id for each in raised if each.alert_id not in over and (until is None or each.raised_at <= until)
        ]

    async def announce(self, announcements: Sequence[Announcement]) -> None:
        self.published += announcements

    @asynccontextmanager
    async def work(self) -> AsyncIterator[MemoryStore]:
        yield self
        self.changed = True

    def consume(self) -> bool:
        changed, self.changed = self.changed, False
        return changed

    async def load(self) -> Checkpoint:
        return Checkpoint(self.generation, dict(self.positions), dict(self.models))

    async def control_plane(self) -> ControlPlaneSnapshot:
        return ControlPlaneSnapshot(
            {m: spec for m, (_, spec) in self.specs.items() if spec},
            dict(self.champions),
            dict(self.removals),
            dict(self.skews),
            self._asking(),
        )

    def _asking(self) -> dict[str, str]:
        events = [each.event for each in self.published]
        over = {each.alert_id for each in events if isinstance(each, AlertResolved)}
        raised = [each for each in events if isinstance(each, AlertRaised) and each.kind == UNDECIDED]
        return {each.model: each.alert_id for each in raised if each.alert_id not in over}

    async def profiles(self, digests: Sequence[str]) -> Mapping[str, ReferenceProfile]:
        return {digest: self.known_profiles[digest] for digest in digests if digest in self.known_profiles}

    async def save(self, checkpoint: Checkpoint, announcements: Sequence[Announcement]) -> None:
        if checkpoint.generation != self.generation:
            raise FencedError(0, checkpoint.generation)
        self.generation += 1
        self.positions |= checkpoint.positions
        self.models |= {model: _appended(self.models.get(model), saved) for model, saved in checkpoint.models.items()}
        self.published += announcements


def _appended(before: ModelCheckpoint | None, saved: ModelCheckpoint) -> ModelCheckpoint:
    """Append the new segments to the stored ones, unless they replace them."""

    def all_of(name: str, table: StoredTable) -> StoredTable:
        stored = before.tables[name].segments if before and not table.replace else ()
        return StoredTable(table.live, stored + table.segments)

    return replace(saved, tables={name: all_of(name, table) for name, table in saved.tables.items()})


@dataclass(frozen=True)
class FakeMessage:
    """The part of a Kafka message that the pipeline uses. `written` is its timestamp in milliseconds."""

    log: str
    number: int
    content: bytes | None
    name: bytes | None = b"loans"
    written: int | None = None

    def topic(self) -> str:
        return self.log

    def partition(self) -> int:
        return 0

    def offset(self) -> int:
        return self.number

    def key(self) -> bytes | None:
        return self.name

    def value(self) -> bytes | None:
        return self.content

    def timestamp(self) -> tuple[int, int]:
        """Return the timestamp type and the timestamp. The default is ten seconds after the message before."""
        return 1, 1_893_456_000_000 + 10_000 * self.number if self.written is None else self.written

    def error(self) -> None:
        return None


def messages(
    predictions: Sequence[bytes] = (), outcomes: Sequence[bytes] = (), first: int = 0, model: str = "loans"
) -> list[Any]:
    key = model.encode()
    return [
        *(FakeMessage(PREDICTIONS_LOG, first + n, value, key) for n, value in enumerate(predictions)),
        *(FakeMessage(OUTCOMES_LOG, first + n, value, key) for n, value in enumerate(outcomes)),
    ]


class FakeClock:
    """A monotonic clock that a test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


# The time of the receivers of webhooks, and the settings of a monitor without servers.
NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
ENVIRONMENT = {"RONDO_KAFKA": "unused:1", "RONDO_HTTP_PORT": "0", "RONDO_ARTIFACTS": "unused"}
