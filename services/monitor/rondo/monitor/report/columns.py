"""The parts of the report about columns: changed columns, columns not judged yet, and the evidence of all columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rondo.contracts.events.monitoring import GROUP_NAMES
from rondo.monitor.report import plots
from rondo.monitor.report.markup import Markup, element, joined

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from rondo.monitor.history.closed_window import ClosedWindow
    from rondo.monitor.report.plots import Point
    from rondo.monitor.status.column_status import ColumnStatus
    from rondo.monitor.status.histograms import Histogram

_HARM = {"loss", "slices"}


def changed(
    columns: Sequence[ColumnStatus], histograms: Mapping[str, Histogram], windows: Sequence[ClosedWindow]
) -> Markup | None:
    """Return a card for each column that has changed. None if there are none.

    A worse performance comes first, and features that the model hardly relies on come last. The others are in the order
    of their evidence, the strongest first.
    """
    found = sorted(
        (each for each in columns if each.changed),
        key=lambda each: (each.group not in _HARM, each.hardly_used, each.threshold - each.evidence),
    )
    if not found:
        return None
    points = evidence_by_column(windows)
    cards = [
        _card(each, _histogram(each, histograms), points.get((each.group, each.column, each.value), []))
        for each in found[: plots.MOST_PLOTS]
    ]
    more = len(found) - len(cards)
    return element(
        "section",
        element("h2", "What has changed"),
        plots.legend("newest rows"),
        element("div", *cards, class_="cards"),
        element("p", f"and {more} more, see the table below", class_="soft") if more else None,
    )


def _histogram(column: ColumnStatus, histograms: Mapping[str, Histogram]) -> Histogram | None:
    """Return the distribution of a column. None for the loss of all rows, or of a slice."""
    return histograms.get(column.column or "") if column.value is None else None


def _card(column: ColumnStatus, histogram: Histogram | None, points: Sequence[Point]) -> Markup:
    return element(
        "article",
        element("h3", column.name),
        element("p", column.change or ""),
        element("p", since(column), class_="soft"),
        element("p", importance(column), class_="soft") if column.importance else None,
        plots.meter(_share(column), "reached"),
        element("p", powers(column), class_="soft"),
        plots.histogram(histogram) if histogram else None,
        element("div", plots.lines([(column.group, points)], f"evidence of {column.name}"), class_="lines")
        if len(points) > 1
        else None,
        class_="card",
    )


def not_judged(columns: Sequence[ColumnStatus], reason: str | None, out_of_reach: str | None = None) -> Markup | None:
    """Return what can't be judged, what is missing and when it is expected. None if everything is judged."""
    found = [each for each in columns if not each.judged and not each.changed and not each.out_of_reach]
    said = [f"{each[0].upper()}{each[1:]}." for each in (reason, out_of_reach) if each]
    if not found and not said:
        return None
    rows = [
        element(
            "tr",
            element("td", each.name, class_="wide"),
            element("td", f"{each.rows:,} of about {each.needed:,}", class_="number"),
            element("td", f"{each.expected:%Y-%m-%d %H:%M}" if each.expected else "unknown"),
        )
        for each in sorted(found, key=lambda each: -each.needed + each.rows)
    ]
    head = element("tr", *_heads(("", ""), ("rows", "number"), ("expected (UTC)", "")))
    return element(
        "section",
        element("h2", "Not judged yet"),
        element("p", " ".join(said) or "Nothing else."),
        element("div", element("table", head, *rows), class_="card scroll") if rows else None,
    )


def over_time(columns: Sequence[ColumnStatus], windows: Sequence[ClosedWindow]) -> Markup | None:
    """Return the strongest evidence of each group at the close of each window, as a share of its threshold."""
    series: list[tuple[str, list[Point]]] = []
    for group in GROUP_NAMES:
        points = [
            (window.evidence_until.get(group, window.end), max(each.evidence / each.threshold for each in mine))
            for window in reversed(windows)
            if (mine := [each for each in window.evidence if each.group == group and each.threshold > 0])
        ]
        if points and any(each.group == group for each in columns):
            series.append((group, points))
    if max((len(points) for _, points in series), default=0) < 2:  # noqa: PLR2004 - a line has two ends
        return None
    legend = [element("span", GROUP_NAMES[group], class_=group) for group, _ in series]
    return element(
        "section",
        element("h2", "Evidence over time"),
        element("div", *legend, element("span", "alarm", class_="threshold"), class_="legend"),
        element("div", plots.lines(series, "evidence over time"), class_="card lines"),
        element("p", "Powers of ten; cut off at twice as many as an alarm needs.", class_="soft"),
    )


def every(columns: Sequence[ColumnStatus], histograms: Mapping[str, Histogram]) -> Markup | None:
    """Return the evidence of all columns in a table, and the distributions of those that have not changed."""
    if not columns:
        return None
    ordered = sorted(columns, key=lambda each: -_share(each))
    head = element("tr", *_heads(("", ""), ("evidence", ""), ("", "")))
    rows = [_row(each) for each in ordered]
    shown = [(each, found) for each in ordered if not each.changed and (found := _histogram(each, histograms))]
    cards = [
        element("article", element("h3", each.name), plots.histogram(found), class_="card")
        for each, found in shown[: plots.MOST_PLOTS]
    ]
    return element(
        "section",
        element("h2", "Everything that is watched"),
        element("div", element("table", head, *rows), class_="card scroll"),
        element(
            "details",
            element("summary", "Distributions without an evident change"),
            plots.legend("newest rows"),
            element("div", *cards, class_="cards"),
        )
        if cards
        else None,
    )


def _row(column: ColumnStatus) -> Markup:
    state = "changed" if column.changed else "no change evident" if column.judged else "not judged yet"
    kind = "reached" if column.changed else "below"
    return element(
        "tr",
        element(
            "td", column.name, element("div", GROUP_NAMES.get(column.group, column.group), class_="soft"), class_="wide"
        ),
        element("td", powers(column), plots.meter(_share(column), kind), class_="wide"),
        element("td", state, class_="state"),
    )


def evidence_by_column(windows: Sequence[ClosedWindow]) -> Mapping[tuple[str, str | None, str | None], list[Point]]:
    """Return the evidence at the close of each window, the oldest first, as a share of its threshold.

    The keys are group, column and value of a slice.
    """
    found: dict[tuple[str, str | None, str | None], list[Point]] = {}
    for window in reversed(windows):
        for each in window.evidence:
            if each.threshold > 0:
                at = window.evidence_until.get(each.group, window.end)
                found.setdefault((each.group, each.column, each.value), []).append((at, each.evidence / each.threshold))
    return found


def powers(column: ColumnStatus) -> Markup:
    """Return the evidence and its threshold as powers of ten."""
    return joined(("evidence ", _power(max(column.evidence, 0.0)), ", an alarm needs ", _power(column.threshold)))


def _power(exponent: float) -> Markup:
    return joined(("10", element("sup", f"{exponent:.1f}")))


def importance(column: ColumnStatus) -> str:
    """Return how much the model relies on a column. Empty if that is not known."""
    if (found := column.importance) is None:
        return ""
    relies = "The model hardly relies on it" if column.hardly_used else "The model relies on it"
    return f"{relies}: without it the loss would rise by {found.loss_increase:.3f} ± {found.error:.3f}."


def since(column: ColumnStatus) -> str:
    """Return when the change began, with the interval. Empty without a change."""
    if column.since is None:
        return ""
    earliest, latest = column.since_earliest or column.since, column.since_latest or column.since
    between = f", between {_minute(earliest)} and {_minute(latest)}" if earliest < latest else ""
    return f"most likely since {_minute(column.since)} UTC{between}"


def _share(column: ColumnStatus) -> float:
    return column.evidence / column.threshold if column.threshold > 0 else 0.0


def _minute(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M}"


def _heads(*heads: tuple[str, str]) -> list[Markup]:
    return [element("th", text, class_=kind or None, scope="col") for text, kind in heads]
