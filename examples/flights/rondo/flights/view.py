"""The live view in the terminal: what the loop does, while it does it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from rich.columns import Columns
from rich.console import Group
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from rondo.client.headlines import headline
from rondo.contracts.data import OutcomesAccepted
from rondo.contracts.deployment import DeploymentChanged, ReplicaChanged
from rondo.contracts.models import ModelPromoted, ModelRegistered, ModelRejected, ModelRetired, ModelRolledBack
from rondo.contracts.monitoring import AlertRaised, AlertResolved, Finding, WindowClosed
from rondo.contracts.training import TrainingFailed, TrainingSkipped

if TYPE_CHECKING:
    from rich.console import RenderableType

    from rondo.contracts.cloudevents import Envelope

_TIMELINE_ROWS, _DRIFT_ROWS, _BAR_WIDTH = 14, 9, 20
# Said a hundred times in a replay, and of no interest between the others.
_QUIET = (WindowClosed, OutcomesAccepted, ModelRegistered, ModelRetired, AlertRaised, AlertResolved)
_STYLES: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (Finding, "yellow"),
    (ModelPromoted, "bold green"),
    ((ModelRejected, ModelRolledBack, TrainingFailed), "bold red"),
    (TrainingSkipped, "dim"),
    ((ReplicaChanged, DeploymentChanged), "cyan"),
)


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
    events: tuple[Envelope[Any], ...] = ()
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


def line(envelope: Envelope[Any]) -> Text:
    """Return an event as one line: the wall time, its name, what happened."""
    style = next((style for kinds, style in _STYLES if isinstance(envelope.data, kinds)), "")
    name = type(envelope.data).__name__
    return Text(
        f"{envelope.time:%H:%M:%S.%f}"[:-4] + f"  {name:<19} {headline(envelope.data)}",
        style,
        overflow="ellipsis",
        no_wrap=True,
    )


def render(snapshot: Snapshot) -> RenderableType:
    """Return the whole view."""
    return Group(
        _header(snapshot),
        Panel(
            Group(*(line(event) for event in snapshot.events[-_TIMELINE_ROWS:])),
            title="events",
            height=_TIMELINE_ROWS + 2,
        ),
        Columns([_versions(snapshot), _drift(snapshot), _auc(snapshot)], padding=(0, 2)),
    )


def _header(snapshot: Snapshot) -> RenderableType:
    clock = f"{snapshot.event_time:%a %d %b %Y}" if snapshot.event_time else "getting ready"
    figures = f"{snapshot.sent:,} sent  {snapshot.answered:,} answered  lag {snapshot.lag:,}  {snapshot.rate:,.0f}/s"
    late = f"  (the replay runs {snapshot.behind:.0f} s late)" if snapshot.behind > 1 else ""
    return Panel(
        Group(
            Text.assemble((clock, "bold"), f"   {figures}{late}"),
            ProgressBar(total=1.0, completed=snapshot.progress, width=None),
        ),
        title="Rondo: a year of New York flights",
    )


def _versions(snapshot: Snapshot) -> RenderableType:
    table = Table(title="versions", title_justify="left")
    table.add_column("version", justify="right")
    table.add_column("share", justify="right")
    table.add_column("predictions", justify="right")
    shares = {route.model_version: route.share for route in snapshot.deployed.routes} if snapshot.deployed else {}
    for version in sorted(shares.keys() | snapshot.served.keys(), reverse=True)[:_DRIFT_ROWS]:
        share = f"{shares[version]:.0%}" if version in shares else "-"
        table.add_row(
            str(version), share, f"{snapshot.served.get(version, 0):,}", style="bold" if version in shares else "dim"
        )
    return table


def _drift(snapshot: Snapshot) -> RenderableType:
    window = snapshot.window
    table = Table(title=f"drift, week to {window.window.end:%d %b}" if window else "drift", title_justify="left")
    table.add_column("feature")
    table.add_column("PSI", justify="right")
    table.add_column("", width=_BAR_WIDTH)
    worst = sorted(window.features, key=lambda feature: -feature.psi)[:_DRIFT_ROWS] if window else []
    for feature in worst:
        filled = min(_BAR_WIDTH, round(feature.psi / max(feature.threshold, 1e-9) * _BAR_WIDTH / 2))
        style = "yellow" if feature.psi > feature.threshold else "green"
        table.add_row(feature.feature, f"{feature.psi:.2f}", Text("█" * filled, style))
    return table


def _auc(snapshot: Snapshot) -> RenderableType:
    table = Table(title="AUC by month", title_justify="left")
    for name in ("", "with the loop", "never retrained"):
        table.add_column(name, justify="right")
    for month, auc in snapshot.auc_with_loop.items():
        alone = snapshot.auc_without_loop.get(month)
        table.add_row(date(2013, month, 1).strftime("%b"), f"{auc:.3f}", "-" if alone is None else f"{alone:.3f}")
    return table
