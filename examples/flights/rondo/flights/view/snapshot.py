"""The state of a run at one moment, as the live view shows it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rondo.contracts.tasks.registry import METRICS

if TYPE_CHECKING:
    from datetime import datetime

    from rondo.contracts.events.cloudevents import Envelope
    from rondo.contracts.events.deployment import DeploymentChanged
    from rondo.contracts.events.monitoring import WindowClosed
    from rondo.contracts.tasks.metrics import Metric
    from rondo.flights.observers.outages import Incident


@dataclass(frozen=True)
class Snapshot:
    """The state of a run. `events` ends with the newest. `rate` is in answers per second.

    `behind` is the delay of the replay in seconds. The replay is `slow` while a training runs. `lag` is the number of
    requests in Kafka that serving has not committed. `changed` are the features and outputs of the champion with
    sufficient evidence of a change. `with_loop` and `without_loop` are the metric by month (1 to 12), of the answers
    and of the first model.
    """

    event_time: datetime | None
    progress: float
    sent: int
    answered: int
    behind: float
    rate: float
    lag: int = 0
    slow: bool = False
    events: tuple[Envelope[Any] | Incident, ...] = ()
    deployed: DeploymentChanged | None = None
    served: dict[int, int] = field(default_factory=dict)
    window: WindowClosed | None = None
    changed: frozenset[str] = frozenset()
    metric: Metric = METRICS["roc_auc"]
    with_loop: dict[int, float] = field(default_factory=dict)
    without_loop: dict[int, float] = field(default_factory=dict)
