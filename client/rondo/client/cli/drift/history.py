"""The table of closed windows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from rondo.client.cli.drift.line import printable
from rondo.client.cli.output import minute
from rondo.contracts.events.monitoring import GROUP_NAMES
from rondo.contracts.figures import figure
from rondo.contracts.tasks.registry import METRICS, title, written
from rondo.contracts.vocabularies import WindowRole

if TYPE_CHECKING:
    from collections.abc import Sequence

_RATE = "selection_rate"
# Groups that not every model has.
_OPTIONAL = ("slices", "gaps", "detectors")


def metrics(windows: Sequence[dict[str, Any]]) -> tuple[str, ...]:
    """Return the names of the metrics that at least one window has."""
    found = (each["statistic"] for window in windows for each in window["statistics"] if each["feature"] is None)
    return tuple(dict.fromkeys(name for name in found if name in METRICS))


def estimated(windows: Sequence[dict[str, Any]]) -> tuple[str, ...]:
    """Return the names of the metrics for which at least one window has an estimate."""
    found = (each["statistic"] for window in windows for each in window["estimates"])
    return tuple(dict.fromkeys(name for name in found if name in METRICS))


def gaps(windows: Sequence[dict[str, Any]]) -> tuple[tuple[str, str], ...]:
    """Return the column and the figure of the gaps to show. Rates of decisions come before other figures."""
    figures: dict[str, list[str]] = {}
    for window in windows:
        for gap in window["gaps"]:
            figures.setdefault(gap["column"], []).append(gap["figure"])
    return tuple((column, _RATE if _RATE in names else names[0]) for column, names in figures.items())


class Figures(NamedTuple):
    """The figures that at least one window has: metrics, estimates, gaps by column and figure, groups of evidence."""

    metrics: tuple[str, ...]
    estimated: tuple[str, ...]
    gaps: tuple[tuple[str, str], ...]
    groups: dict[str, str]
    costs: bool = False

    @classmethod
    def of(cls, windows: Sequence[dict[str, Any]]) -> Figures:
        present = {each["group"] for window in windows for each in window["evidence"]}
        groups = {group: name for group, name in GROUP_NAMES.items() if group in present or group not in _OPTIONAL}
        # An older monitor does not send costs.
        costs = any(window.get("cost") for window in windows)
        return cls(metrics(windows), estimated(windows), gaps(windows), groups, costs)


def columns(figures: Figures) -> tuple[str, ...]:
    """Return the headings of the table. The evidence of a group is that of its column that is nearest to an alarm."""
    titles = (f"{METRICS[name].title}, estimated" for name in figures.estimated)
    apart = (f"{title(name)} gap by {printable(column)}" for column, name in figures.gaps)
    known = (METRICS[name].title for name in figures.metrics)
    cost = ("errors", "p95 ms") if figures.costs else ()
    return ("from", "version", "rows", "outcomes", *titles, *known, *apart, *figures.groups.values(), *cost)


def cells(window: dict[str, Any], shown: Figures) -> tuple[object, ...]:
    """Return the cells of a window, in the order of `columns`."""
    expected = {each["statistic"]: each["value"] for each in window["estimates"]}
    estimates = (METRICS[name].figure(float(expected[name])) if name in expected else None for name in shown.estimated)
    known = {(gap["column"], gap["figure"]): float(gap["gap"]) for gap in window["gaps"]}
    apart = (written(key[1], known[key]) if key in known else None for key in shown.gaps)
    values = {each["statistic"]: each["value"] for each in window["statistics"] if each["feature"] is None}
    figures = (METRICS[name].figure(float(values[name])) if name in values else None for name in shown.metrics)
    evidence = (_strongest(window, group) for group in shown.groups)
    return (
        minute(window["start"]), _version(window), f"{window['rows']:,}", f"{window['labelled_rows']:,}",
        *estimates, *figures, *apart, *evidence, *(_cost(window.get("cost")) if shown.costs else ()),
    )  # fmt: skip


def _cost(cost: dict[str, Any] | None) -> tuple[str | None, str | None]:
    """Return the share of rows without a prediction, and the duration of an inference. None if they are not known."""
    if cost is None:
        return None, None
    p95 = cost["latency_p95"]
    return f"{cost['error_share']:.1%}", None if p95 is None else figure(1_000 * p95, ".3g")


def _version(window: dict[str, Any]) -> str:
    """Return the version of a window. The text says if the version was replaced before the window closed."""
    return f"{window['model_version']}{', replaced' * (window.get('role') == WindowRole.REPLACED)}"


def _strongest(window: dict[str, Any], group: str) -> str | None:
    """Return the evidence that is nearest to its threshold. An exclamation mark follows if it exceeds the threshold."""
    mine = [each for each in window["evidence"] if each["group"] == group]
    if not mine:
        return None
    found = max(mine, key=lambda each: float(each["evidence"]) - float(each["threshold"]))
    alarms = float(found["evidence"]) >= float(found["threshold"])
    return f"10^{max(float(found['evidence']), 0.0):.1f}{'!' if alarms else ''}"
