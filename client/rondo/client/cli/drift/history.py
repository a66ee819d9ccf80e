"""The table of closed windows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rondo.client.cli.output import minute
from rondo.contracts.tasks.registry import METRICS

if TYPE_CHECKING:
    from collections.abc import Sequence

_GROUPS = {"inputs": "inputs", "outputs": "predictions", "loss": "performance"}


def metrics(windows: Sequence[dict[str, Any]]) -> tuple[str, ...]:
    """Return the names of the metrics that some window has."""
    found = (each["statistic"] for window in windows for each in window["statistics"] if each["feature"] is None)
    return tuple(dict.fromkeys(name for name in found if name in METRICS))


def estimated(windows: Sequence[dict[str, Any]]) -> tuple[str, ...]:
    """Return the names of the metrics that are estimated of some window."""
    found = (each["statistic"] for window in windows for each in window["estimates"])
    return tuple(dict.fromkeys(name for name in found if name in METRICS))


def columns(metrics: Sequence[str], estimated: Sequence[str]) -> tuple[str, ...]:
    """Return the heads of the table; the evidence of a group is that of its column that is nearest to an alarm."""
    titles = (*(f"{METRICS[name].title}, estimated" for name in estimated), *(METRICS[name].title for name in metrics))
    return ("from", "version", "rows", "outcomes", *titles, *_GROUPS.values())


def cells(window: dict[str, Any], metrics: Sequence[str], estimated: Sequence[str]) -> tuple[object, ...]:
    """Return the cells of a window, in the order of `columns`."""
    expected = {each["statistic"]: each["value"] for each in window["estimates"]}
    estimates = (METRICS[name].figure(float(expected[name])) if name in expected else None for name in estimated)
    values = {each["statistic"]: each["value"] for each in window["statistics"] if each["feature"] is None}
    figures = (METRICS[name].figure(float(values[name])) if name in values else None for name in metrics)
    evidence = (_strongest(window, group) for group in _GROUPS)
    return (
        minute(window["start"]), window["model_version"], f"{window['rows']:,}", f"{window['labelled_rows']:,}",
        *estimates, *figures, *evidence,
    )  # fmt: skip


def _strongest(window: dict[str, Any], group: str) -> str | None:
    """Return the evidence that is nearest to its threshold, with an exclamation mark where it alarms."""
    mine = [each for each in window["evidence"] if each["group"] == group]
    if not mine:
        return None
    found = max(mine, key=lambda each: float(each["evidence"]) - float(each["threshold"]))
    alarms = float(found["evidence"]) >= float(found["threshold"])
    return f"10^{max(float(found['evidence']), 0.0):.1f}{'!' if alarms else ''}"
