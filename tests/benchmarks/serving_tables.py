"""The tables of docs/serving-experiments.md."""

from __future__ import annotations

import re
from typing import Any

Rows = dict[str, dict[str, Any]]
AGAINST = ", against "


def beside_peers(rows: Rows) -> list[str]:
    """Return a line for each figure with a column for each peer: Rondo's share of the peer's, and the goal.

    Figures without a peer are left out.
    """
    peers = list(dict.fromkeys(name.split(AGAINST)[1] for name in rows if AGAINST in name))
    figures: dict[str, dict[str, str]] = {}
    ours: dict[str, str] = {}
    for name, row in rows.items():
        if AGAINST not in name or row["ratio"] is None:
            continue
        figure, peer = name.split(AGAINST)
        ours[figure] = f"{_shown(row['ours'])} {row['unit']}"
        figures.setdefault(figure, {})[peer] = _cell(row)
    lines = [f"| what | Rondo | beside {' | beside '.join(peers)} |", f"| --- | ---: |{' --- |' * len(peers)}"]
    return lines + [
        f"| {figure} | {ours[figure]} | {' | '.join(cells.get(peer, '') for peer in peers)} |"
        for figure, cells in sorted(figures.items(), key=lambda each: _place(each[0]))
    ]


def _place(figure: str) -> tuple[int, list[int], str]:
    """Rates come first, then medians, 99th percentiles and CPU times, each with fewer connections before more."""
    kinds = ("CPU time", "99th percentile", "median")
    kind = next((len(kinds) - at for at, each in enumerate(kinds) if each in figure), 0)
    numbers = re.findall(r"\d+", figure.replace("99th", ""))
    return kind, [int(each) for each in numbers], figure


def of_stream(rows: Rows) -> list[str]:
    """Return the rates beside peers, then the latencies beside a bare transactional echo."""
    echo = {name: row for name, row in rows.items() if name.startswith("latency")}
    return [*beside_peers(rows), "", *of_latencies(echo)]


def of_latencies(rows: Rows) -> list[str]:
    """Return a line for each latency of the stream, beside the echo's."""
    lines = ["| what | Rondo | a bare transactional echo | ratio |", "| --- | ---: | ---: | --- |"]
    return lines + [
        f"| {name} | {_shown(row['ours'])} {row['unit']} | {_shown(row['peer'])} {row['unit']} | {_cell(row)} |"
        for name, row in rows.items()
        if row["peer"] is not None
    ]


def _cell(row: dict[str, Any]) -> str:
    ratio = f"{row['ratio']:.2f}"
    if row["goal"] == "shown":
        return ratio
    goal = row["goal"].removesuffix(" of it").removesuffix(" of an echo's")
    return f"{ratio} ({goal})" if row["met"] else f"**{ratio}** (missed: {goal})"


def _shown(value: float) -> str:
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.2f}"
