"""What is to be replayed, who looks on, and what may be done to the system meanwhile."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Protocol

from rondo.flights.dataset.messages import day

if TYPE_CHECKING:
    from collections.abc import Callable

    from rondo.flights.view.live import Snapshot

SECONDS_FOR_A_YEAR = 90.0
REDEPLOYMENTS_OF_A_YEAR = 3


class Watcher(Protocol):
    """Who looks on: gets a snapshot a few times a second, and a word about each step."""

    def step(self, text: str) -> None:
        """Hear of a step of the preparation."""
        ...

    def show(self, snapshot: Snapshot) -> None:
        """Look at the replay."""
        ...


@dataclass(frozen=True)
class Plan:
    """What is replayed. `speed` 1 plays a year in 90 s; the months are of 2013, `until` is not included."""

    speed: float = 1.0
    stream_from: datetime = field(default_factory=lambda: day(3))
    until: datetime = field(default_factory=lambda: day(13))
    required_redeployments: int = REDEPLOYMENTS_OF_A_YEAR

    @property
    def per_second(self) -> timedelta:
        """How much event time passes in a second."""
        return timedelta(days=365) / SECONDS_FOR_A_YEAR * self.speed


@dataclass
class Hands:
    """What a run may do to the system besides using it: `at` is called with the progress, 0 to 1."""

    at: Callable[[float], None] = lambda _: None
    restarts: Callable[[], dict[str, int]] = dict
