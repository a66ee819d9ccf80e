"""The live view in the terminal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.columns import Columns
from rich.console import Group
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.text import Text

from rondo.client.event_summaries import summarize
from rondo.contracts.events.access import TokenChanged
from rondo.contracts.events.data import OutcomesAccepted
from rondo.contracts.events.deployment import DeploymentChanged, ReplicaChanged
from rondo.contracts.events.models import ModelPromoted, ModelRegistered, ModelRejected, ModelRetired, ModelRolledBack
from rondo.contracts.events.monitoring import AlertRaised, AlertResolved, Finding, WindowClosed
from rondo.contracts.events.training import TrainingFailed, TrainingSkipped
from rondo.flights.observers.outages import Incident
from rondo.flights.view.tables import TABLE_ROWS, by_month, drift, versions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult

    from rondo.contracts.events.cloudevents import Envelope
    from rondo.flights.view.snapshot import Snapshot

_BAR_WIDTH = 12
# The height of everything except the events: header, tables, a frame, the current step.
_OTHER_ROWS = 4 + (TABLE_ROWS + 3) + 2 + 1
_FEWEST_EVENTS, _MOST_EVENTS = 4, 24
# With fewer columns the three tables only fit side by side without bars.
_WIDE = 96
# Events that are frequent, or not interesting in the timeline.
_HIDDEN = (WindowClosed, OutcomesAccepted, ModelRegistered, ModelRetired, AlertRaised, AlertResolved, TokenChanged)
_STYLES: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (Finding, "yellow"),
    (ModelPromoted, "bold green"),
    ((ModelRejected, ModelRolledBack, TrainingFailed), "bold red"),
    (TrainingSkipped, "dim"),
    ((ReplicaChanged, DeploymentChanged), "cyan"),
)

_INCIDENT_STYLES = {"Died": "bold white on red", "Recovered": "bold green"}


def is_shown(event: object) -> bool:
    """Return whether the timeline shows this event."""
    if isinstance(event, ReplicaChanged):
        return event.state in ("available", "refused")
    return not isinstance(event, _HIDDEN)


def timeline(envelopes: Sequence[Envelope[Any]], incidents: Sequence[Incident]) -> tuple[Envelope[Any] | Incident, ...]:
    """Return the events and incidents that the timeline shows, in order of time."""
    shown = [envelope for envelope in envelopes if is_shown(envelope.data)]
    return tuple(sorted([*shown, *incidents], key=lambda each: each.time)) if incidents else tuple(shown)


def line(event: Envelope[Any] | Incident) -> Text:
    """Return an event as one line: wall-clock time, name, summary."""
    if isinstance(event, Incident):
        style, name, summary = _INCIDENT_STYLES[event.kind], str(event.kind), event.what
    else:
        style = next((style for kinds, style in _STYLES if isinstance(event.data, kinds)), "")
        name, summary = type(event.data).__name__, summarize(event.data)
    return Text(f"{event.time:%H:%M:%S.%f}"[:-4] + f"  {name:<19} {summary}", style, overflow="ellipsis", no_wrap=True)


def render(snapshot: Snapshot) -> RenderableType:
    """Return the whole view for the size of the screen. From 80 columns and 24 rows on nothing is cut off."""
    return _View(snapshot)


@dataclass(frozen=True)
class _View:
    snapshot: Snapshot

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        snapshot, rows = self.snapshot, min(max(console.height - _OTHER_ROWS, _FEWEST_EVENTS), _MOST_EVENTS)
        yield _header(snapshot)
        yield Panel(Group(*(line(event) for event in snapshot.events[-rows:])), title="events", height=rows + 2)
        bar = _BAR_WIDTH if options.max_width >= _WIDE else 0
        yield Columns([versions(snapshot), drift(snapshot, bar), by_month(snapshot)], padding=(0, 2))


def _header(snapshot: Snapshot) -> RenderableType:
    clock = f"{snapshot.event_time:%a %d %b %Y}" if snapshot.event_time else "preparing"
    figures = f"{snapshot.sent:,} sent  {snapshot.answered:,} answered  lag {snapshot.lag:,}  {snapshot.rate:,.0f}/s"
    late = f"  {snapshot.behind:.0f} s late" if snapshot.behind > 1 else ""
    training = "  slower: a training runs" if snapshot.slow else ""
    return Panel(
        Group(
            Text.assemble((clock, "bold"), f"   {figures}{late}{training}"),
            ProgressBar(total=1.0, completed=snapshot.progress, width=None),
        ),
        title="Rondo: a year of New York flights",
    )
