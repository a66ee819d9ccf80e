"""Formats the trials of a search for parameters for a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rondo.contracts.figures import figure
from rondo.contracts.tasks.registry import METRICS

if TYPE_CHECKING:
    from collections.abc import Sequence

# A search may have a thousand trials. `--json` prints all of them.
_SHOWN = 10


def best_trials(search: dict[str, Any], trials: Sequence[dict[str, Any]]) -> list[tuple[str, object]]:
    """Return rows of the best complete trials of a search, the best first, and a row that counts the others."""
    metric = METRICS.get(search["metric"])
    sign = -1 if metric is None or metric.higher_is_better else 1
    complete = [each for each in trials if each["state"] == "complete" and each["value"] is not None]
    shown = sorted(complete, key=lambda each: (sign * float(each["value"]), each["number"]))[:_SHOWN]
    rows: list[tuple[str, object]] = [(f"trial {each['number'] + 1}", _described(each, search)) for each in shown]
    if others := len(trials) - len(shown):
        rows.append(("trials", f"{others:,} more, pruned and failed ones among them: --json lists all"))
    return rows


def _described(trial: dict[str, Any], search: dict[str, Any]) -> str:
    metric, value = METRICS.get(search["metric"]), float(trial["value"])
    reached = metric.written(value) if metric else f"{search['metric']} {value:.4g}"
    params = ", ".join(
        f"{name} {figure(each, '.4g') if isinstance(each, float) else each}" for name, each in trial["params"].items()
    )
    return f"{reached} in {trial['seconds']:.1f} s, of the {trial['origin']}: {params or 'all by default'}"
