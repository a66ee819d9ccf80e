"""One closed window: its figures, and its distributions beside those of the training data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rondo.client.cli.drift.line import Line, column_name, heading, indented, printable
from rondo.client.cli.drift.plots import sparklines
from rondo.client.cli.output import minute
from rondo.contracts.events.monitoring import Estimate, Statistic, described, described_estimate
from rondo.contracts.tasks.registry import METRICS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rondo.client.cli.drift.plots import Plotter

_NAME, _PLOT, _MOST = 28, 17, 20


def lines(model: str, window: dict[str, Any], plotter: Plotter, width: int) -> Iterator[Line]:
    """Yield the lines about a window."""
    period = f"{minute(window['start'])} to {minute(window['end'])} UTC"
    role = "" if window["role"] == "champion" else f", {printable(window['role'])}"
    text = f"{model} version {window['model_version']}{role}, {period}: {window['rows']:,} rows, "
    yield Line(f"{text}{window['labelled_rows']:,} outcomes", "bold")
    named = [column_name(each) for each in window["evidence"] if each["evidence"] >= each["threshold"]]
    yield from _part("What had changed when the window closed", ", ".join(named) or "nothing evidently", width)
    figures = (Statistic.model_validate(each) for each in window["statistics"] if each["feature"] is None)
    metrics = [described(each) for each in figures if each.statistic in METRICS]
    yield from _part("Performance", ", ".join(metrics), width)
    estimates = [described_estimate(Estimate.model_validate(each)) for each in window["estimates"]]
    yield from _part("Performance, estimated", ", ".join(estimates), width)
    if missing := window["no_columns"]:
        yield from _part("Distributions", printable(missing), width)
    else:
        yield from _distributions(window["columns"], plotter)


def _distributions(columns: Sequence[dict[str, Any]], plotter: Plotter) -> Iterator[Line]:
    """Yield the distributions, those that differ most first."""
    shown = sorted(columns, key=lambda each: -_distance(each))
    yield from heading("Distributions")
    yield Line(f"  {'':{_NAME}} {'training':{_PLOT}} this window", "dim")
    for each in shown[:_MOST]:
        reference, here = sparklines(each["bars"], plotter)
        yield Line(f"  {printable(each['column'])[:_NAME]:{_NAME}} {reference:{_PLOT}} {here}")
    if len(shown) > _MOST:
        yield Line(f"  and {len(shown) - _MOST} more: --json lists all")


def _distance(column: dict[str, Any]) -> float:
    return float(sum(abs(bar["window"] - bar["reference"]) for bar in column["bars"]))


def _part(title: str, text: str, width: int) -> Iterator[Line]:
    if text:
        yield from heading(title)
        yield from (Line(each) for each in indented(text, width, "  "))
