"""The ports in memory, and the messages of the logs as the follower hands them over."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from rondo.contracts.events.logs import OUTCOMES_LOG, PREDICTIONS_LOG
from rondo.monitor.errors import FencedError
from rondo.monitor.ports import Champion, Kept, Knowledge, Position, Saved, SavedWatch

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from rondo.contracts.spec.model import ModelSpec
    from rondo.monitor.alerts.findings import Announcement
    from rondo.monitor.detectors.reference import Profiled


@dataclass
class MemoryStore:
    """Implements `ports.Store`, `ports.Work` and `ports.News`."""

    specs: dict[str, tuple[int, ModelSpec]] = field(default_factory=dict)
    known: dict[str, Profiled] = field(default_factory=dict)
    champions: dict[str, Champion] = field(default_factory=dict)
    turn: int = 0
    positions: dict[Position, int] = field(default_factory=dict)
    watches: dict[str, SavedWatch] = field(default_factory=dict)
    announced: list[Announcement] = field(default_factory=list)
    changed: bool = True

    async def save_spec(self, model: str, revision: int, spec: ModelSpec) -> None:
        if model not in self.specs or self.specs[model][0] < revision:
            self.specs[model] = (revision, spec)

    async def save_profile(self, digest: str, profiled: Profiled) -> None:
        self.known.setdefault(digest, profiled)

    async def save_champion(self, model: str, champion: Champion) -> None:
        if model not in self.champions or self.champions[model].revision < champion.revision:
            self.champions[model] = champion

    @asynccontextmanager
    async def work(self) -> AsyncIterator[MemoryStore]:
        yield self
        self.changed = True

    def heard(self) -> bool:
        changed, self.changed = self.changed, False
        return changed

    async def load(self) -> Saved:
        return Saved(self.turn, dict(self.positions), dict(self.watches))

    async def knowledge(self) -> Knowledge:
        return Knowledge({m: spec for m, (_, spec) in self.specs.items()}, dict(self.champions))

    async def profiles(self, digests: Sequence[str]) -> Mapping[str, Profiled]:
        return {digest: self.known[digest] for digest in digests if digest in self.known}

    async def save(self, saved: Saved, announcements: Sequence[Announcement]) -> None:
        if saved.turn != self.turn:
            raise FencedError(saved.turn)
        self.turn += 1
        self.positions |= saved.positions
        self.watches |= {model: _behind(self.watches.get(model), watch) for model, watch in saved.watches.items()}
        self.announced += announcements


def _behind(before: SavedWatch | None, saved: SavedWatch) -> SavedWatch:
    """Put the parts of this save behind the earlier ones, unless they are the whole."""

    def all_of(kind: str, kept: Kept) -> Kept:
        earlier = before.waiting[kind].parts if before and not kept.whole else ()
        return Kept(kept.alive, earlier + kept.parts)

    return replace(saved, waiting={kind: all_of(kind, kept) for kind, kept in saved.waiting.items()})


@dataclass(frozen=True)
class FakeMessage:
    """What the watching asks of a Kafka message."""

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
        """Return when it was written, in milliseconds: ten seconds after the one before, if nothing else is said."""
        return 1, 1_893_456_000_000 + 10_000 * self.number if self.written is None else self.written

    def error(self) -> None:
        return None


def messages(predictions: Sequence[bytes] = (), outcomes: Sequence[bytes] = (), first: int = 0) -> list[Any]:
    return [
        *(FakeMessage(PREDICTIONS_LOG, first + n, value) for n, value in enumerate(predictions)),
        *(FakeMessage(OUTCOMES_LOG, first + n, value) for n, value in enumerate(outcomes)),
    ]


class Clock:
    """A clock that stands still until it is told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now
