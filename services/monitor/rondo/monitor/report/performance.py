"""The part of the report about the performance: observed and estimated metrics, and those of the holdout."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rondo.contracts.events.monitoring import described_estimate
from rondo.contracts.tasks.registry import METRICS
from rondo.contracts.vocabularies import WindowRole
from rondo.monitor.report.markup import Markup, element

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rondo.contracts.events.monitoring import Estimate, Statistic
    from rondo.monitor.history.closed_window import ClosedWindow
    from rondo.monitor.status.model_status import MeanLoss
    from rondo.monitor.status.newest_rows import NewestRows

_WINDOWS = 12


def performance(windows: Sequence[ClosedWindow], newest: NewestRows | None, loss: MeanLoss | None) -> Markup | None:
    """Return the mean loss, the estimates for the newest rows, and the metrics of the newest closed windows.

    None if there are neither outcomes nor estimates.
    """
    shown = [each for each in windows if each.labelled_rows or _estimates(each)][:_WINDOWS]
    estimated = _newest(newest) if newest and newest.estimates else None
    if not shown and estimated is None:
        return None
    mean = _mean(loss) if loss else None
    return element("section", element("h2", "Performance"), mean, estimated, _table(shown) if shown else None)


def _mean(loss: MeanLoss) -> Markup:
    return element(
        "p",
        element("strong", f"Loss {loss.value:.3f}"),
        f" on {loss.labelled_rows:,} outcomes of this version, between {loss.low:.3f} and {loss.high:.3f} at any time "
        f"with {100 * loss.confidence:.4g}%; {loss.reference:.3f} on the holdout",
    )


def _newest(newest: NewestRows) -> Markup:
    parts: list[Markup] = []
    for assumption in dict.fromkeys(each.assumption for each in newest.estimates):
        figures = ", ".join(described_estimate(each) for each in newest.estimates if each.assumption == assumption)
        parts.append(element("p", element("strong", "Estimated"), f" of the newest {newest.rows:,} rows: {figures}"))
        parts.append(element("p", f"It is right if {assumption}.", class_="soft"))
    return element("div", *parts, class_="card")


def _table(shown: Sequence[ClosedWindow]) -> Markup:
    metrics = list(dict.fromkeys(each.statistic for window in shown for each in _metrics(window)))
    estimated = list(dict.fromkeys(each.statistic for window in shown for each in _estimates(window)))
    known = [METRICS[metric].title for metric in metrics]
    titles = [*known, "outcomes", "rows", *(f"{METRICS[metric].title}, estimated" for metric in estimated)]
    heads = ["window from (UTC)", "version", *titles]
    head = element("tr", *(element("th", text, class_="number" if at else None) for at, text in enumerate(heads)))
    rows = []
    for version in dict.fromkeys(window.model_version for window in shown):
        mine = [window for window in shown if window.model_version == version]
        rows += [_row(window, metrics, estimated) for window in mine]
        rows.append(_holdout(version, mine[0], metrics, estimated))
    return element(
        "div",
        element("div", element("table", head, *rows), class_="card scroll"),
        element("p", "A figure of few outcomes moves by chance; only the evidence decides.", class_="soft"),
    )


def _metrics(window: ClosedWindow) -> list[Statistic]:
    return [each for each in window.statistics if each.feature is None and each.statistic in METRICS]


def _estimates(window: ClosedWindow) -> list[Estimate]:
    return [each for each in window.estimates if each.statistic in METRICS]


def _row(window: ClosedWindow, metrics: Sequence[str], estimated: Sequence[str]) -> Markup:
    expected = {each.statistic: METRICS[each.statistic].figure(each.value) for each in _estimates(window)}
    values = {each.statistic: METRICS[each.statistic].figure(each.value) for each in _metrics(window)}
    known, guessed = (values.get(each, "") for each in metrics), (expected.get(each, "") for each in estimated)
    cells = (version_of(window), *known, f"{window.labelled_rows:,}", f"{window.rows:,}", *guessed)
    return element(
        "tr",
        element("td", f"{window.start:%Y-%m-%d %H:%M}"),
        *(element("td", cell, class_="number") for cell in cells),
    )


def version_of(window: ClosedWindow) -> str:
    """Return the version of a window, and whether it was replaced before the window closed."""
    return f"{window.model_version}{', replaced' * (window.role == WindowRole.REPLACED)}"


def _holdout(version: int, window: ClosedWindow, metrics: Sequence[str], estimated: Sequence[str]) -> Markup:
    expected, values = (
        {each.statistic: METRICS[each.statistic].figure(each.reference) for each in found if each.reference is not None}
        for found in (_estimates(window), _metrics(window))
    )
    known, guessed = (values.get(each, "") for each in metrics), (expected.get(each, "") for each in estimated)
    return element(
        "tr",
        element("td", "holdout"),
        *(element("td", cell, class_="number") for cell in (version, *known, "", "", *guessed)),
        class_="holdout",
    )
