"""The cases that are simulated: thresholds, and how long a deployment takes; each year is played once."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from statistics import mean
from typing import TYPE_CHECKING

import polars as pl
from rondo.flights.dataset import flights
from rondo.flights.dataset.messages import day, stream_of
from rondo.flights.examples import example_named
from rondo.flights.report.scores import by_month

from tests.benchmarks.simulation.trainings import NEARLY_ALL, Flights, Trainings
from tests.benchmarks.simulation.year import Simulation, Year

if TYPE_CHECKING:
    from rondo.contracts.spec.model import ModelSpec

EARLY, LATE = range(3, 8), range(8, 13)


@dataclass(frozen=True)
class Case:
    """PSI and drop of AUC from which a week counts, and the days from a finding to the version that it leads to.

    Without a threshold its kind of finding asks for no training. `refit`: what serves was fitted to the holdout, too.
    """

    drift: float | None
    drop: float | None
    lag: int
    refit: bool = False

    def spec(self, spec: ModelSpec) -> ModelSpec:
        """Return a spec with these thresholds."""
        asked = {"drift": self.drift, "performance": self.drop}
        figures = {"drift": self.drift, "performance_drop": self.drop}
        on = tuple(kind for kind, threshold in asked.items() if threshold is not None)
        monitor = {name: threshold for name, threshold in figures.items() if threshold is not None}
        return spec.model_copy(
            update={
                "retrain": spec.retrain.model_copy(update={"on": on}),
                "monitor": spec.monitor.model_copy(update=monitor),
            }
        )


@dataclass(frozen=True)
class Played:
    """The result of a case: the year, and the AUC of each month as it was served."""

    year: Year
    auc: dict[int, float]

    def over(self, months: Sequence[int] = (*EARLY, *LATE)) -> float:
        """Return the mean AUC of months."""
        return mean(self.auc[month] for month in months)

    def retrains(self, *kinds: str) -> int:
        """Return the number of retrains that findings of these kinds led to."""
        return sum(version.trigger.kind in kinds for version in self.year.versions)


Play = Callable[[Case], Played]


def player(spec: ModelSpec) -> Play:
    """Return what plays a case on the flights of 2013; it says so on stderr, for it takes seconds."""
    trainings = Trainings(Flights(stream_of(flights.load(), day(1), day(13)), day(3), spec), spec)
    years: dict[Case, Year] = {}

    def play(case: Case) -> Played:
        bare = Case(case.drift, case.drop, case.lag)
        if bare not in years:
            sys.stderr.write(f"a year with drift {case.drift}, performance_drop {case.drop}, {case.lag} d\n")
            years[bare] = Simulation(case.spec(spec), trainings, timedelta(days=case.lag)).play()
        scores = years[bare].scores(trainings, NEARLY_ALL if case.refit else None)
        return Played(years[bare], by_month(example_named(), trainings.flights.streamed, pl.Series(scores)))

    return play
