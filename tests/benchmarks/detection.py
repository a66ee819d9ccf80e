"""The tables on detection of docs/monitoring-experiments.md: streams without drift, and injected drifts."""

from __future__ import annotations

from typing import Any

Rows = dict[str, dict[str, Any]]
_RATES = ("0.01", "0.05", "0.1")
_MODES = ("abrupt", "gradual")
_MODELS = {"a model as served": "as served", "a tree that learns on": "learns on"}
_FIGURES = (
    "F1",
    "share found",
    "rows to the alarm",
    "rows to the alarm, missed as 1,500",
    "false alarms per 1,000 rows",
)
_SHOWN = {"F1": "F1", "share found": "found", "rows to the alarm": "rows", _FIGURES[3]: "rows, missed as 1,500",
          _FIGURES[4]: "false per 1,000"}  # fmt: skip


def of_stationary(rows: Rows) -> list[str]:
    """Return the shares of streams with an alarm by kind, each with the upper end of its interval."""
    peers = ("PSI by windows", "ADWIN", "every 1,000 rows")
    lines = [
        f"| streams | number | {' | '.join(f'at {rate}' for rate in _RATES)} | {' | '.join(peers)} |",
        f"| --- | ---: |{' ---: |' * (len(_RATES) + len(peers))}",
    ]
    at = ": share with an alarm at 0.01"
    for kind in (name.removesuffix(at) for name in rows if name.endswith(at)):
        cells = [f"{rows[f'{kind}{at}, streams']['ours']:,.0f}"]
        for rate in _RATES:
            name = f"{kind}: share with an alarm at {rate}"
            cells.append(f"{rows[name]['ours']:.3f} (< {rows[f'{name}, upper end of its interval']['ours']:.3f})")
        for peer in peers:
            found = rows.get(f"{kind}: share with an alarm, {peer}")
            cells.append(f"{found['ours']:.3f}" if found else "")
        lines.append(f"| {kind} | {' | '.join(cells)} |")
    return lines


def of_injected(rows: Rows) -> list[str]:
    """Return the figures of each detector by mode and model, and Rondo's goals."""
    lines = [
        f"| drift, model | detector | {' | '.join(_SHOWN.values())} |",
        f"| --- | --- |{' ---: |' * len(_SHOWN)}",
    ]
    for mode in _MODES:
        for model, short in _MODELS.items():
            prefix = f"{mode}, {model}: F1, "
            for detector in (name.removeprefix(prefix) for name in rows if name.startswith(prefix)):
                found = [rows[f"{mode}, {model}: {figure}, {detector}"] for figure in _FIGURES]
                lines.append(f"| {mode}, {short} | {detector} | {' | '.join(map(_figure, found))} |")
    return lines


def of_kinds(rows: Rows) -> list[str]:
    """Return the share of found drifts by kind, for each mode and detector."""
    found: dict[str, dict[str, str]] = {}
    for name, row in rows.items():
        head, shares, detector = name.partition(": share found, ")
        if shares and not any(model in head for model in _MODELS):
            found.setdefault(head, {})[detector] = f"{row['ours']:.2f}"
    detectors = list(dict.fromkeys(each for cells in found.values() for each in cells))
    lines = [f"| drift, kind | {' | '.join(detectors)} |", f"| --- |{' ---: |' * len(detectors)}"]
    return lines + [
        f"| {head} | {' | '.join(cells.get(each, '') for each in detectors)} |" for head, cells in found.items()
    ]


def _figure(row: dict[str, Any]) -> str:
    value = row["ours"]
    shown = "" if value != value else f"{value:,.0f}" if value >= 10 else f"{value:.2f}"  # noqa: PLR0124 - NaN
    return shown if row["goal"] == "shown" or row["met"] or row["peer"] is None else f"{shown} (goal missed)"
