"""Draws docs/pictures/delays.svg from the newest recorded rows: rows to the alarm against false alarms.

`python -m tests.benchmarks.pictures` writes it. It is 420 wide, so that a telephone shows it as it is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from tests.benchmarks.readme import README
from tests.benchmarks.results import newest

PICTURE = README.parent / "docs" / "pictures" / "delays.svg"
Rows = dict[str, dict[str, Any]]
_WIDTH, _PANEL, _LEGEND = 420, 350, 150
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 14, 34, 52
# False alarms per 1,000 rows, where none is drawn at the lowest place, and rows to the alarm.
_X, _Y = (0.0005, 40.0), (8.0, 25_000.0)
_NONE = 0.0015
# Detectors without false alarms are drawn side by side.
_BESIDE = 8
_X_TICKS = {_NONE: "none", 0.01: "0.01", 0.1: "0.1", 1.0: "1", 10.0: "10"}
_Y_TICKS = {10.0: "10", 100.0: "100", 1_000.0: "1,000", 10_000.0: "10,000", 20_000.0: "never"}
_NEVER = (3_000.0, 20_000.0)
"""The rows since the shift in the streams of a detector. Drawn if the detector has found nothing."""
_SHORT = "KSWIN"


@dataclass(frozen=True)
class Style:
    """The style of a detector in a plot: its name for readers, its parameter, its colour and its shape of points."""

    name: str
    parameter: str
    colour: str
    shape: str


STYLES = {
    "Rondo": Style("Rondo", "rate .1, .01, .001", "#c2185b", "circle"),
    "ADWIN": Style("ADWIN", "delta .2 to 1e-8", "#1565c0", "square"),
    "PageHinkley": Style("Page-Hinkley", "threshold 10 to 1,000", "#2e7d32", "triangle"),
    "KSWIN": Style("KSWIN", "alpha .005, 1e-6", "#6a1b9a", "diamond"),
    "PSI": Style("PSI, 500 rows", "bound .03 to .5", "#ef6c00", "down"),
    "NannyML": Style("NannyML, 500 rows", "2 to 10 deviations", "#00838f", "plus"),
    "dummy": Style("dummy", "every 100 to 10,000 rows", "#757575", "cross"),
}
Points = dict[str, list[tuple[float, float]]]


def panels(rows: Rows) -> dict[str, Points]:
    """Return false alarms per 1,000 rows and rows to the alarm for each parameter, by kind of stream and detector."""
    found: dict[str, Points] = {}
    end = ": false alarms per 1,000 rows"
    for name, row in rows.items():
        if name.endswith(end):
            kind, which = name.removesuffix(end).split(": ")
            detector = which.split(", ")[0]
            delay = rows[f"{kind}: {which}: rows to the alarm"]["ours"]
            never = _NEVER[0 if detector == _SHORT else 1]
            found.setdefault(kind, {}).setdefault(detector, []).append(
                (row["ours"], delay if delay < never else 20_000.0)
            )
    return found


def picture(rows: Rows) -> str:
    """Return the drawing as SVG."""
    kinds = panels(rows)
    height = _LEGEND + _PANEL * len(kinds)
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" '
            f'height="{height}" font-family="sans-serif" font-size="13" role="img" '
            'aria-label="Rows to the alarm against false alarms">'
        ),
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
        *_legend(),
    ]
    for number, (kind, points) in enumerate(kinds.items()):
        parts += _panel(kind, points, _LEGEND + number * _PANEL)
    return "\n".join([*parts, "</svg>", ""])


def _legend() -> list[str]:
    parts = []
    for number, style in enumerate(STYLES.values()):
        y = 18 + 19 * number
        parts.append(_point(style, 16, y))
        parts.append(f'<text x="30" y="{y + 4}" fill="#212121">{style.name}</text>')
        parts.append(f'<text x="190" y="{y + 4}" fill="#616161">{style.parameter}</text>')
    return parts


def _panel(kind: str, points: Points, top: int) -> list[str]:
    right, bottom = _WIDTH - _RIGHT, top + _PANEL - _BOTTOM
    parts = [f'<text x="{_LEFT}" y="{top + 22}" font-weight="bold" fill="#212121">{kind}</text>']
    for value, label in _X_TICKS.items():
        x = _place(value, _X, _LEFT, right)
        parts.append(f'<line x1="{x}" y1="{top + _TOP}" x2="{x}" y2="{bottom}" stroke="#e0e0e0"/>')
        parts.append(f'<text x="{x}" y="{bottom + 17}" text-anchor="middle" fill="#424242">{label}</text>')
    for value, label in _Y_TICKS.items():
        y = _place(value, _Y, bottom, top + _TOP)
        parts.append(f'<line x1="{_LEFT}" y1="{y}" x2="{right}" y2="{y}" stroke="#e0e0e0"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{y + 4}" text-anchor="end" fill="#424242">{label}</text>')
    middle = (top + _TOP + bottom) / 2
    parts += [
        (
            f'<text x="{(_LEFT + right) / 2}" y="{bottom + 37}" text-anchor="middle" fill="#424242">'
            f"false alarms per 1,000 rows</text>"
        ),
        (
            f'<text transform="translate(13 {middle}) rotate(-90)" text-anchor="middle" fill="#424242">'
            f"rows to the alarm</text>"
        ),
    ]
    for number, (detector, style) in enumerate(STYLES.items()):
        beside = _BESIDE * (number - len(STYLES) // 2)
        at = [
            (
                _place(max(false, _NONE), _X, _LEFT, right) + (0 if false else beside),
                _place(delay, _Y, bottom, top + _TOP),
            )
            for false, delay in points.get(detector, [])
        ]
        line = " ".join(f"{x},{y}" for x, y in at)
        parts.append(
            f'<polyline points="{line}" fill="none" stroke="{style.colour}" stroke-width="1.5" opacity="0.6"/>'
        )
        parts += [_point(style, x, y) for x, y in at]
    return parts


def _place(value: float, bounds: tuple[float, float], first: float, last: float) -> float:
    """Return the position of a value on a logarithmic axis."""
    low, high = (math.log(each) for each in bounds)
    share = (math.log(min(max(value, bounds[0]), bounds[1])) - low) / (high - low)
    return round(first + share * (last - first), 1)


def _point(style: Style, x: float, y: float) -> str:
    shapes = {
        "circle": f'<circle cx="{x}" cy="{y}" r="5" fill="{style.colour}"/>',
        "square": f'<path d="M{x - 4},{y - 4}h8v8h-8z" fill="{style.colour}"/>',
        "triangle": f'<path d="M{x},{y - 5}l5,9h-10z" fill="{style.colour}"/>',
        "down": f'<path d="M{x},{y + 5}l5,-9h-10z" fill="{style.colour}"/>',
        "diamond": f'<path d="M{x},{y - 6}l5,6l-5,6l-5,-6z" fill="{style.colour}"/>',
        "plus": f'<path d="M{x - 5},{y}h10M{x},{y - 5}v10" stroke="{style.colour}" stroke-width="3"/>',
        "cross": f'<path d="M{x - 4},{y - 4}l8,8M{x + 4},{y - 4}l-8,8" stroke="{style.colour}" stroke-width="2"/>',
    }
    return shapes[style.shape]


def write() -> None:
    """Write the picture, if its rows have been recorded."""
    if rows := newest("delays"):
        PICTURE.write_text(picture(rows))


if __name__ == "__main__":
    write()
