"""The part of the report about slices and groups: their newest figures, and the gaps between groups over time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rondo.contracts.tasks.registry import title, written
from rondo.monitor.report.markup import Markup, element
from rondo.monitor.status.column_status import MISSING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rondo.monitor.history.closed_window import ClosedWindow
    from rondo.monitor.status.newest_rows import WindowStatus
    from rondo.monitor.status.window_detail import WindowDetail

_WINDOWS = 12


def slices(newest: WindowStatus | WindowDetail | None, windows: Sequence[ClosedWindow]) -> Markup | None:
    """Return the figures of the newest closed rows by slice, and the gaps of `windows`. None if there are no slices."""
    if newest is None or not newest.slices:
        return None
    return element(
        "section",
        element("h2", "Slices and groups"),
        element("div", element("table", *_figures(newest)), class_="card scroll"),
        _gaps([window for window in windows if window.gaps][:_WINDOWS]),
        element(
            "p",
            "In brackets the holdout. A figure of few outcomes moves by chance; gaps are between groups of 30 outcomes "
            "or more.",
            class_="soft",
        ),
    )


def _figures(newest: WindowStatus | WindowDetail) -> list[Markup]:
    names = list(dict.fromkeys(name for each in newest.slices for name in (*each.figures, *each.reference)))
    heads = ("slice", "outcomes", *map(title, names))
    rows = [element("tr", *(element("th", head, class_="number" if at else None) for at, head in enumerate(heads)))]
    for each in newest.slices:
        cells = [f"{each.labelled_rows:,}"]
        for name in names:
            now, before = each.figures.get(name), each.reference.get(name)
            known = f" ({written(name, before)})" if before is not None else ""
            cells.append(("not known" if now is None else written(name, now)) + known)
        name = f"{each.column} {each.value or MISSING}"
        rows.append(element("tr", element("td", name), *(element("td", cell, class_="number") for cell in cells)))
    return rows


def _gaps(windows: Sequence[ClosedWindow]) -> Markup | None:
    keys = list(dict.fromkeys((gap.column, gap.figure) for window in windows for gap in window.gaps))
    if not keys:
        return None
    heads = ("gap, window from (UTC)", *(f"{title(name)} by {column}" for column, name in keys), "version")
    rows = [element("tr", *(element("th", head, class_="number" if at else None) for at, head in enumerate(heads)))]
    for window in windows:
        gaps = {(gap.column, gap.figure): gap for gap in window.gaps}
        cells = [
            "" if (gap := gaps.get(key)) is None
            else f"{written(key[1], gap.gap)} ({gap.lowest or MISSING} to {gap.highest or MISSING})"
            for key in keys
        ]  # fmt: skip
        cells.append(str(window.model_version))
        first = element("td", f"{window.start:%Y-%m-%d %H:%M}")
        rows.append(element("tr", first, *(element("td", cell, class_="number") for cell in cells)))
    return element("div", element("table", *rows), class_="card scroll")
