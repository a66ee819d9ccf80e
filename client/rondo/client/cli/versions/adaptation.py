"""Formats the rows that a version was trained on, and the reasons, for a table."""

from __future__ import annotations

from typing import Any

from rondo.client.cli.output import minute
from rondo.contracts.vocabularies import AdaptationStrategy


def rows_of(adaptation: dict[str, Any] | None) -> str:
    """Return the rows of a version as a cell. Empty if no comparison chose them."""
    if adaptation is None:
        return ""
    rows, strategy = f"{adaptation['rows']:,}", adaptation["strategy"]
    if strategy == AdaptationStrategy.SINCE and adaptation["window_start"]:
        return f"{rows} since {minute(adaptation['window_start'])}"
    return f"all {rows}" if strategy in (AdaptationStrategy.SINCE, AdaptationStrategy.ALL) else f"{rows}, {strategy}"


def explained(adaptation: dict[str, Any] | None) -> list[tuple[str, object]]:
    """Return rows of a table about one version: the strategy, the reason for it, and the figures of all strategies."""
    if adaptation is None:
        return []
    held = "holdout included" if adaptation["refitted"] else "without the holdout"
    found: list[tuple[str, object]] = [
        ("fitted to", f"{rows_of(adaptation)} rows, {held}"),
        ("chosen because", adaptation["reason"]),
    ]
    for key, name in (("window_start", "window begins"), ("suspected_since", "suspected since")):
        if adaptation[key]:
            found.append((name, minute(adaptation[key])))
    if adaptation["gap_rows"]:
        found.append(("gap", f"{adaptation['gap_rows']:,} rows whose outcomes were not known at the holdout"))
    return [*found, *(("compared", _score(each)) for each in adaptation["scores"])]


def _score(score: dict[str, Any]) -> str:
    fitted = f", {score['rows']:,} rows" if score["rows"] else ""
    text = f"{score['strategy']}{fitted}: loss {score['loss']:.4f}"
    if score["advantage"] is None:
        return text
    less = "less" if score["advantage"] >= 0 else "more"
    needed = f"needed {score['needed']:.4f} less"
    return f"{text}, by its record {abs(score['advantage']):.4f} {less} than the leader ({needed})"
