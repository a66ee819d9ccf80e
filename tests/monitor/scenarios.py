"""A scenario that feeds a model's state day by day and collects the events it publishes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from rondo.monitor.model_state import ModelState
from rondo.monitor.ports import ChampionRevision
from rondo.monitor.state.codec import decode_state, encode_state, nothing_stored

from tests.monitor.builders import (
    MODEL,
    SPEC,
    WRITTEN,
    instants,
    outcomes,
    predictions,
)
from tests.monitor.streams import BINARY, Stream

if TYPE_CHECKING:
    import pyarrow as pa
    from rondo.contracts.events.base import Event
    from rondo.contracts.spec.model import ModelSpec
    from rondo.monitor.evidence.reference import Reference

CHAMPION, NEXT = ChampionRevision(1, 1, "one"), ChampionRevision(2, 2, "two")
E = TypeVar("E", bound="Event")


@dataclass
class DailyScenario:
    """Feeds a model's state. Rows of day 0 fill the window that begins at EPOCH. Version 1 is champion at first.

    The reference is that of the stream, unless one is `given`.
    """

    spec: ModelSpec = SPEC
    seed: int = 11
    stream: Stream = BINARY
    published: list[Event] = field(default_factory=list)
    given: Reference | None = None

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)
        self.state = ModelState(MODEL)
        self.state.apply_spec(self.spec)
        self.promote(CHAMPION)

    @property
    def reference(self) -> Reference:
        return self.given or self.stream.reference

    @property
    def references(self) -> dict[str, Reference]:
        """The references by the digest of each version.

        Rows of versions without one count by the scenario's reference.
        """
        return dict.fromkeys((CHAMPION.digest, NEXT.digest, self.reference.digest), self.reference)

    def restart(self) -> None:
        """Continue from a checkpoint."""
        saved, _ = encode_state(self.state, nothing_stored())
        self.state, _ = decode_state(MODEL, saved, self.state.max_out_of_orderness, now=0.0)
        self.state.apply_spec(self.spec)

    def promote(self, champion: ChampionRevision) -> None:
        self.published += [each.event for each in self.state.promote(champion)]

    def day(
        self, number: float, *, shift: float = 0.0, skill: float = 1.0, count: int = 1_000, version: int = 1,
        missing: float = 0.0, labels: bool = True, length: float = 1.0,
    ) -> None:  # fmt: skip
        data = self.stream.rows(self.rng, count, shift)
        ids, at = [f"{number}-{version}-{i}" for i in range(count)], instants(number, count, length)
        data["x"][self.rng.random(count) < missing] = np.nan
        self.state.count_predictions(predictions(data, at, ids), version, self.reference)
        if labels:
            known_at = at + np.timedelta64(1, "h")
            self.add_outcomes(outcomes(list(ids), self.stream.outcomes(self.rng, data, skill), known_at))

    def add_outcomes(self, table: pa.Table) -> None:
        """Add outcomes, after which the stream is idle, so that its watermark has passed their times."""
        self.state.add_outcomes(table, WRITTEN)
        self.state.outcome_watermark = self.state.outcome_watermark.caught_up()

    def close(self, *, idle: bool = True) -> None:
        self.state.settle()
        announcements = [
            *self.state.look(self.reference), *self.state.close_due_windows(self.references, outcomes_idle=idle)
        ]  # fmt: skip
        self.published += [each.event for each in announcements]

    def drain_alerts(self) -> None:
        self.published += [each.event for each in self.state.dropped.drain_alerts()]

    def counts(self) -> Counter[str]:
        return Counter(type(event).__name__ for event in self.published)

    def all(self, event: type[E]) -> list[E]:
        return [each for each in self.published if isinstance(each, event)]

    def one(self, event: type[E]) -> E:
        (found,) = self.all(event)
        return found
