"""The plan of a run, and the faults that the run may cause."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from rondo.flights.dataset.messages import day
from rondo.flights.examples import example_named
from rondo.flights.report.report import REDEPLOYMENTS_OF_A_YEAR

if TYPE_CHECKING:
    from collections.abc import Callable

    from rondo.flights.examples import Example

SECONDS_FOR_A_YEAR = 45.0
TRAINING_SPEED = 0.05


@dataclass(frozen=True)
class Plan:
    """The plan of a run. A `speed` of 1 replays a year in 45 s without trainings.

    Dates are in 2013, `until` is exclusive. While a training runs, the replay continues at `training_speed` times its
    speed, because a training takes minutes, which would be weeks of event time at full speed.
    """

    example: Example = field(default_factory=example_named)
    speed: float = 1.0
    training_speed: float = TRAINING_SPEED
    stream_from: datetime = field(default_factory=lambda: day(3))
    until: datetime = field(default_factory=lambda: day(13))
    required_redeployments: int = REDEPLOYMENTS_OF_A_YEAR

    @property
    def per_second(self) -> timedelta:
        """The event time that passes in one second."""
        return timedelta(days=365) / SECONDS_FOR_A_YEAR * self.speed


@dataclass
class SystemControls:
    """The access of a run to the system. `on_progress` is called with the progress (0 to 1), and may cause faults.

    `restarts` returns the number of restarts of each process so far.
    """

    on_progress: Callable[[float], None] = lambda _: None
    restarts: Callable[[], dict[str, int]] = dict
