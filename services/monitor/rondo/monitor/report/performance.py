"""The part of the report about the performance: the metrics of the last windows beside those of the holdout."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rondo.contracts.tasks.registry import METRICS
from rondo.monitor.report.markup import Markup, element

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rondo.contracts.events.monitoring import Statistic
    from rondo.monitor.history.closed_window import ClosedWindow

_WINDOWS = 12


def performance(windows: Sequence[ClosedWindow]) -> Markup | None:
    """Return a table of the metrics, one row for each of the newest windows with outcomes; None without any."""
    shown = [each for each in windows if each.labelled_rows][:_WINDOWS]
    if not shown:
        return None
    metrics = list(dict.fromkeys(each.statistic for window in shown for each in _metrics(window)))
    heads = ["window from (UTC)", *(METRICS[metric].title for metric in metrics), "outcomes", "rows", "version"]
    head = element("tr", *(element("th", text, class_="number" if at else None) for at, text in enumerate(heads)))
    rows = []
    for version in dict.fromkeys(window.model_version for window in shown):
        mine = [window for window in shown if window.model_version == version]
        rows += [_row(window, metrics) for window in mine]
        rows.append(_holdout(version, mine[0], metrics))
    return element(
        "section",
        element("h2", "Performance"),
        element("div", element("table", head, *rows), class_="card scroll"),
        element("p", "A figure of few outcomes moves by chance; only the evidence decides.", class_="soft"),
    )


def _metrics(window: ClosedWindow) -> list[Statistic]:
    return [each for each in window.statistics if each.feature is None and each.statistic in METRICS]


def _row(window: ClosedWindow, metrics: Sequence[str]) -> Markup:
    values = {each.statistic: METRICS[each.statistic].figure(each.value) for each in _metrics(window)}
    cells = (f"{window.labelled_rows:,}", f"{window.rows:,}", window.model_version)
    return element(
        "tr",
        element("td", f"{window.start:%Y-%m-%d %H:%M}"),
        *(element("td", cell, class_="number") for cell in (*(values.get(each, "") for each in metrics), *cells)),
    )


def _holdout(version: int, window: ClosedWindow, metrics: Sequence[str]) -> Markup:
    values = {
        each.statistic: METRICS[each.statistic].figure(each.reference)
        for each in _metrics(window)
        if each.reference is not None
    }
    return element(
        "tr",
        element("td", "holdout"),
        *(element("td", c, class_="number") for c in (*(values.get(each, "") for each in metrics), "", "", version)),
        class_="holdout",
    )
