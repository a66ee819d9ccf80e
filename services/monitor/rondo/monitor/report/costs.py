"""The part of the report about the cost of predictions, in the newest closed windows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rondo.contracts.figures import figure
from rondo.monitor.report.markup import Markup, element
from rondo.monitor.report.performance import version_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rondo.monitor.costs.cost_status import CostStatus
    from rondo.monitor.history.closed_window import ClosedWindow

_WINDOWS = 12
_HEADS = (
    "window from (UTC)", "version", "predictions", "without one", "p50 ms", "p95 ms", "p99 ms", "replica MB",
    "CPU s per 1,000", "mg CO2e per 1,000",
)  # fmt: skip


def costs(windows: Sequence[ClosedWindow]) -> Markup | None:
    """Return the cost of the newest windows, the newest first. None if no cost is known."""
    rows = [_row(window, window.cost) for window in windows if window.cost][:_WINDOWS]
    if not rows:
        return None
    head = element("tr", *(element("th", text, class_="number" if at else None) for at, text in enumerate(_HEADS)))
    note = (
        "Milliseconds are those of an inference of a micro-batch, without the network. The memory is that of a whole "
        "replica. Emissions are an estimate from the processor time."
    )
    return element(
        "section",
        element("h2", "Cost"),
        element("div", element("table", head, *rows), class_="card scroll"),
        element("p", note, class_="soft"),
    )


def _row(window: ClosedWindow, cost: CostStatus) -> Markup:
    memory = None if cost.memory_bytes is None else cost.memory_bytes / 1_000_000
    emissions = None if cost.emissions_grams is None else 1_000 * cost.emissions_grams
    quantiles = (cost.latency_p50, cost.latency_p95, cost.latency_p99)
    cells = (
        version_of(window), f"{cost.predictions:,}", f"{cost.error_share:.1%}",
        *(_figure(None if each is None else 1_000 * each) for each in quantiles),
        "" if memory is None else f"{memory:,.0f}", _figure(cost.cpu_seconds), _figure(emissions),
    )  # fmt: skip
    first = element("td", f"{window.start:%Y-%m-%d %H:%M}")
    return element("tr", first, *(element("td", cell, class_="number") for cell in cells))


def _figure(value: float | None) -> str:
    return "" if value is None else figure(value, ".3g")
