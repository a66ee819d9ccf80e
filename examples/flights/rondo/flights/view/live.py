"""The live view in the terminal: what the loop does, while it does it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rich.columns import Columns
from rich.console import Group
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.text import Text

from rondo.client.event_summaries import headline
from rondo.contracts.events.data import OutcomesAccepted
from rondo.contracts.events.deployment import DeploymentChanged, ReplicaChanged
from rondo.contracts.events.models import ModelPromoted, ModelRegistered, ModelRejected, ModelRetired, ModelRolledBack
from rondo.contracts.events.monitoring import AlertRaised, AlertResolved, Finding, WindowClosed
from rondo.contracts.events.training import TrainingFailed, TrainingSkipped
from rondo.flights.observers.outages import Incident
from rondo.flights.view.tables import TABLE_ROWS, auc, drift, versions

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult

    from rondo.contracts.events.cloudevents import Envelope

_BAR_WIDTH = 12
# What the rest of the view takes of a screen's height: the header, the tables, a frame, a step that goes on.
_OTHER_ROWS = 4 + (TABLE_ROWS + 3) + 2 + 1
_FEWEST_EVENTS, _MOST_EVENTS = 4, 24
# Below this many columns the three tables stand side by side only without the bars.
_WIDE = 96
# Said a hundred times in a replay, and of no interest between the others.
_QUIET = (WindowClosed, OutcomesAccepted, ModelRegistered, ModelRetired, AlertRaised, AlertResolved)
_STYLES: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (Finding, "yellow"),
    (ModelPromoted, "bold green"),
    ((ModelRejected, ModelRolledBack, TrainingFailed), "bold red"),
    (TrainingSkipped, "dim"),
    ((ReplicaChanged, DeploymentChanged), "cyan"),
)

_INCIDENT_STYLES = {"Died": "bold white on red", "Healed": "bold green"}


@dataclass(frozen=True)
class Snapshot:
    """What the view shows at one moment. `events` has the newest last; rates are per second.

    `lag` is how many requests Kafka has that serving has not committed.
    """

    event_time: datetime | None
    progress: float
    sent: int
    answered: int
    behind: float
    rate: float
    lag: int = 0
    events: tuple[Envelope[Any] | Incident, ...] = ()
    deployed: DeploymentChanged | None = None
    served: dict[int, int] = field(default_factory=dict)
    window: WindowClosed | None = None
    auc_with_loop: dict[int, float] = field(default_factory=dict)
    auc_without_loop: dict[int, float] = field(default_factory=dict)


def is_news(event: object) -> bool:
    """Whether the timeline shows this event."""
    if isinstance(event, ReplicaChanged):
        return event.state in ("available", "refused")
    return not isinstance(event, _QUIET)


def timeline(said: Sequence[Envelope[Any]], incidents: Sequence[Incident]) -> tuple[Envelope[Any] | Incident, ...]:
    """Return what the timeline shows of what the services said and of what befell them, in the order of its time."""
    news = [envelope for envelope in said if is_news(envelope.data)]
    return tuple(sorted([*news, *incidents], key=lambda each: each.time)) if incidents else tuple(news)


def line(event: Envelope[Any] | Incident) -> Text:
    """Return an event as one line: the wall time, its name, what happened."""
    if isinstance(event, Incident):
        style, name, what = _INCIDENT_STYLES[event.kind], str(event.kind), event.what
    else:
        style = next((style for kinds, style in _STYLES if isinstance(event.data, kinds)), "")
        name, what = type(event.data).__name__, headline(event.data)
    return Text(f"{event.time:%H:%M:%S.%f}"[:-4] + f"  {name:<19} {what}", style, overflow="ellipsis", no_wrap=True)


def render(snapshot: Snapshot) -> RenderableType:
    """Return the whole view, which fits itself to the screen: from 80 columns and 24 rows on nothing is cut off."""
    return _View(snapshot)


@dataclass(frozen=True)
class _View:
    snapshot: Snapshot

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        snapshot, rows = self.snapshot, min(max(console.height - _OTHER_ROWS, _FEWEST_EVENTS), _MOST_EVENTS)
        yield _header(snapshot)
        yield Panel(Group(*(line(event) for event in snapshot.events[-rows:])), title="events", height=rows + 2)
        bar = _BAR_WIDTH if options.max_width >= _WIDE else 0
        yield Columns([versions(snapshot), drift(snapshot, bar), auc(snapshot)], padding=(0, 2))


def _header(snapshot: Snapshot) -> RenderableType:
    clock = f"{snapshot.event_time:%a %d %b %Y}" if snapshot.event_time else "getting ready"
    figures = f"{snapshot.sent:,} sent  {snapshot.answered:,} answered  lag {snapshot.lag:,}  {snapshot.rate:,.0f}/s"
    late = f"  {snapshot.behind:.0f} s late" if snapshot.behind > 1 else ""
    return Panel(
        Group(
            Text.assemble((clock, "bold"), f"   {figures}{late}"),
            ProgressBar(total=1.0, completed=snapshot.progress, width=None),
        ),
        title="Rondo: a year of New York flights",
    )
