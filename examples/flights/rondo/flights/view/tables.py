"""The tables of the live view. All three fit side by side in 80 columns."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from rondo.contracts.vocabularies import StatisticName

if TYPE_CHECKING:
    from rondo.flights.view.snapshot import Snapshot

TABLE_ROWS = 10
_FEATURE_WIDTH, _METRIC_WIDTH = 10, 9
# In a window of two days a smaller distance is mostly random.
_FULL_BAR = 0.25


def versions(snapshot: Snapshot) -> Table:
    """Return the share of each version and the number of its answers."""
    table = _table("versions")
    table.add_column("version", justify="right")
    table.add_column("share", justify="right")
    table.add_column("predictions", justify="right")
    shares = {route.model_version: route.share for route in snapshot.deployed.routes} if snapshot.deployed else {}
    for version in sorted(shares.keys() | snapshot.served.keys(), reverse=True)[:TABLE_ROWS]:
        share = f"{shares[version]:.0%}" if version in shares else "-"
        table.add_row(
            str(version), share, f"{snapshot.served.get(version, 0):,}", style="bold" if version in shares else "dim"
        )
    return table


def drift(snapshot: Snapshot, bar: int) -> Table:
    """Return the features with the largest PSI. Features with an evident change are yellow.

    A full bar has `bar` columns, and stands for the largest PSI, or for `_FULL_BAR` if that is larger. 0 omits the
    bars.
    """
    window = snapshot.window
    table = _table(f"drift to {window.window.end:%d %b}" if window else "drift")
    table.add_column("feature", min_width=_FEATURE_WIDTH)
    table.add_column("PSI", justify="right")
    if bar:
        table.add_column("", width=bar)
    distances = [each for each in window.statistics if each.statistic == StatisticName.PSI] if window else []
    full = max((each.value for each in distances), default=0.0)
    for each in sorted(distances, key=lambda each: -each.value)[:TABLE_ROWS]:
        style = "yellow" if each.feature in snapshot.changed else "green"
        bars = (Text("█" * round(each.value / max(full, _FULL_BAR) * bar), style),) if bar else ()
        table.add_row(each.feature, Text(f"{each.value:.2f}", style), *bars)
    return table


def by_month(snapshot: Snapshot) -> Table:
    """Return the metric of each finished month, with and without retraining."""
    table, figure = _table(f"{snapshot.metric.title} by month"), snapshot.metric.figure
    table.add_column("")
    for name in ("with the loop", "never retrained"):
        table.add_column(name, justify="right", width=_METRIC_WIDTH)
    for month, value in snapshot.with_loop.items():
        without = snapshot.without_loop.get(month)
        other = "-" if without is None else figure(without)
        table.add_row(date(2013, month, 1).strftime("%b"), figure(value), other)
    return table


def _table(title: str) -> Table:
    return Table(title=title, title_justify="left", title_style="bold", box=None, padding=(0, 2, 0, 0), pad_edge=False)
