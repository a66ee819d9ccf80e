"""Plots as SVG. They have no text, so that they can be stretched to any width. Labels are HTML beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rondo.monitor.report.markup import Markup, element

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from rondo.monitor.status.histograms import Bar, Histogram

# A page with more plots loads slowly, and nobody looks at them all.
MOST_PLOTS = 60
_WIDTH, _HEIGHT = 320.0, 96.0
_GAP = 0.12
_LEAST_SHOWN = 0.0005
# A plot up to more than twice the powers of ten of the threshold would hide the threshold.
_MOST_EVIDENCE = 2.0
_MARGIN = 0.08

Point = tuple["datetime", float]


def percent(share: float) -> str:
    """Return a share as text. A small share is not shown as 0."""
    return "<0.1%" if 0 < share < _LEAST_SHOWN else f"{share:.1%}"


def legend(rows: str) -> Markup:
    """Return the colours of the training data and of these rows."""
    return element(
        "div",
        element("span", "training data", class_="ref"),
        element("span", rows, class_="now"),
        class_="legend",
    )


def histogram(column: Histogram, now: str = "now") -> Markup:
    """Return the distribution of a column: vertical bars for ranges of values, horizontal bars for categories.

    `now` names the rows that are beside those of the training data.
    """
    ranges = [bar for bar in column.bars if bar.kind == "range"]
    others = [bar for bar in column.bars if bar.kind != "range"]
    parts = [_columns(column.column, ranges, now)] if ranges else []
    parts += [element("div", *map(_row, others), class_="rows")] if others else []
    return element("div", *parts, class_="histogram")


def _columns(name: str, bars: Sequence[Bar], now: str) -> Markup:
    highest = max(max(bar.window, bar.reference) for bar in bars) or 1.0
    width = _WIDTH / len(bars)
    shapes = []
    for at, bar in enumerate(bars):
        left = (at + _GAP) * width
        half = (1 - 2 * _GAP) * width / 2
        title = element(
            "title", f"{bar.label}: {percent(bar.window)} {now}, {percent(bar.reference)} in the training data"
        )
        shapes.append(
            element(
                "g", title, _rect(left, half, bar.reference / highest, "ref"),
                _rect(left + half, half, bar.window / highest, "now"),
            )
        )  # fmt: skip
    axis = element("div", *(element("span", text) for text in _axis(bars)), class_="axis")
    return element("div", _svg(shapes, f"distribution of {name}"), axis)


def _axis(bars: Sequence[Bar]) -> tuple[str, ...]:
    middle = len(bars) // 2
    return tuple(dict.fromkeys((bars[0].label, bars[middle].label, bars[-1].label)))


def _rect(left: float, width: float, share: float, kind: str) -> Markup:
    height = share * _HEIGHT
    return element(
        "rect", x=f"{left:.2f}", y=f"{_HEIGHT - height:.2f}", width=f"{width:.2f}", height=f"{height:.2f}", class_=kind
    )


def _row(bar: Bar) -> Markup:
    lines = [
        element("rect", x=0, y=y, width=f"{share * 100:.2f}", height=9, class_=kind)
        for y, share, kind in ((1, bar.reference, "ref"), (10, bar.window, "now"))
    ]
    plot = element("svg", *lines, viewBox="0 0 100 20", preserveAspectRatio="none", aria_hidden="true")
    figures = f"{percent(bar.reference)} → {percent(bar.window)}"
    return element(
        "div",
        element("span", bar.label, class_=f"label {bar.kind}"),
        plot,
        element("span", figures, class_="figures"),
        class_="row",
    )


def lines(series: Sequence[tuple[str, Sequence[Point]]], label: str) -> Markup:
    """Return lines of evidence over time, each as a share of its threshold, with the threshold as a broken line.

    `series` has the CSS class of each line and its points. Lines are cut off at twice the threshold.
    """
    times = [at for _, points in series for at, _ in points]
    first, last = min(times), max(times)
    span = (last - first).total_seconds() or 1.0
    shapes = [_line("threshold", [(0.0, 1.0), (1.0, 1.0)])]
    for kind, points in series:
        shapes.append(_line(kind, [((at - first).total_seconds() / span, value) for at, value in points]))
    axis = element("div", *(element("span", f"{at:%Y-%m-%d %H:%M}") for at in (first, last)), class_="axis")
    return element("div", _svg(shapes, label), axis)


def _line(kind: str, places: Sequence[tuple[float, float]]) -> Markup:
    heights = (1 - min(max(y, 0.0), _MOST_EVIDENCE) / (_MOST_EVIDENCE + _MARGIN) for _, y in places)
    points = " ".join(f"{x * _WIDTH:.1f},{_HEIGHT * y:.1f}" for (x, _), y in zip(places, heights, strict=True))
    return element("polyline", points=points, class_=kind)


def meter(share: float, kind: str) -> Markup:
    """Return a bar that is full once the evidence has reached its threshold."""
    fill = element("rect", x=0, y=0, width=f"{min(max(share, 0.0), 1.0) * 100:.2f}", height=10, class_=kind)
    return element(
        "svg", fill, viewBox="0 0 100 10", preserveAspectRatio="none", class_="meter", role="img",
        aria_label=f"{min(max(share, 0.0), 1.0):.0%} of what an alarm needs",
    )  # fmt: skip


def _svg(shapes: Sequence[Markup], label: str) -> Markup:
    return element(
        "svg", *shapes, viewBox=f"0 0 {_WIDTH:g} {_HEIGHT:g}", preserveAspectRatio="none", role="img", aria_label=label
    )
