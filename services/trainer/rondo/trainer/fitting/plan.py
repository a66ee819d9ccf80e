"""Plans a training that compares strategies: the rows that each model is fitted to, and the rows that score them."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from rondo.contracts.tasks.registry import task_named
from rondo.trainer.adaptation import holdout, training_window
from rondo.trainer.adaptation.training_window import AdaptationState, LabelledRows
from rondo.trainer.dataset.columns import from_micros, micros
from rondo.trainer.dataset.split import Split, check_classes, check_rows_are_left
from rondo.trainer.errors import NotEnoughDataError, SharedEventTimeError
from rondo.trainer.evaluation.compare import trained_until
from rondo.trainer.preparation import inputs

if TYPE_CHECKING:
    from datetime import datetime

    import polars as pl
    from numpy.typing import NDArray

    from rondo.contracts.spec.model import ModelSpec
    from rondo.trainer.adaptation.strategies import Strategy
    from rondo.trainer.adaptation.training_window import FitPlan
    from rondo.trainer.evaluation.candidate import ChampionModel

log = logging.getLogger(__name__)
# If there are more classes, the others are rare, and a dependence between rows shows in the most frequent ones.
_MOST_SERIES = 8


@dataclass(frozen=True, eq=False)
class Planned:
    """Labelled rows in order, and the fits to them. `since` is the suspected time of a change, None without one."""

    rows: pl.DataFrame
    at: LabelledRows
    state: AdaptationState
    fit_plan: FitPlan
    since: datetime | None = None

    @cached_property
    def holdout(self) -> pl.DataFrame:
        """The rows that the strategies are scored on, the same object each time: see `PreparedModel.known`."""
        return self.rows[self.fit_plan.held.start :]

    @property
    def leading(self) -> pl.DataFrame:
        """The rows of the current leader before the holdout. Parameters are searched on these."""
        fit = self.fit_plan.held.fit
        return self.rows[training_window.leading_strategy(self.at, self.state, fit).first : fit]

    def parts(self, strategy: Strategy) -> Split:
        """Return the rows that the scored model of a strategy is fitted to, and the holdout."""
        return Split(self.rows[strategy.first : self.fit_plan.held.fit], self.holdout)


def plan_strategies(
    spec: ModelSpec,
    rows: pl.DataFrame,
    state: AdaptationState | None,
    champion: ChampionModel | None,
    since: datetime | None,
) -> Planned:
    """Plan a training on labelled rows in order of event time. `since` is the time of a suspected drop of performance.

    The drop is checked once there are enough rows since then, and, if it was not confirmed, again once they have
    doubled.

    Raises:
        MissingColumnsError: a feature is no column of the rows.
        NoTrainingRowsError: the holdout that the spec asks for has all rows.
        SharedEventTimeError: the earliest rows reach into the holdout, so that no training row is left.

    """
    inputs.check_columns(spec.features, rows)
    at, known = _rows(spec, rows), state or AdaptationState(rows.height)
    if since is not None:
        known = training_window.with_suspected_change(at, known, micros(since))
    change = training_window.change_to_confirm(at, known, None if since is None else micros(since))
    suspected = None if change is None else _suspicion(spec, rows, at, known, from_micros(change))
    if suspected is not None:
        return suspected
    until = trained_until(champion)
    planned = Planned(
        rows, at, known, training_window.plan_comparison(at, known, None if until is None else micros(until))
    )
    if planned.fit_plan.held.fit == 0:
        check_rows_are_left(spec, rows)
        time = rows[spec.data.event_time]
        raise SharedEventTimeError(spec.data.event_time, time[0], int((time == time[0]).sum()), rows.height)
    return planned


def plan_suspicion(spec: ModelSpec, planned: Planned, since: int) -> Planned | None:
    """Plan the check of a change since an event time, in microseconds. None if too few rows are newer."""
    return _suspicion(spec, planned.rows, planned.at, planned.state, from_micros(since))


def _suspicion(
    spec: ModelSpec, rows: pl.DataFrame, at: LabelledRows, state: AdaptationState, since: datetime
) -> Planned | None:
    if at.fixed:
        return None
    found = Planned(rows, at, state, training_window.plan_confirmation(at, state, micros(since)), since)
    if _is_usable(spec, found.parts(found.fit_plan.strategies[0])):
        return found
    log.info("too few rows since %s to compare a model of them alone", since)
    return None


def _rows(spec: ModelSpec, rows: pl.DataFrame) -> LabelledRows:
    times = rows[spec.data.event_time].dt.epoch("us").to_numpy()
    return LabelledRows(
        times=times,
        delay=int(spec.data.label_delay.total_seconds() * 1e6),
        features=len(spec.features),
        # A user's function takes no weights.
        fades=spec.trainer.function is None,
        least=_rows_of_two_classes(spec, rows),
        specified=holdout.specified(spec.trainer, times),
        fixed=spec.trainer.window is not None,
        floor=spec.trainer.least_fitted,
        labels=_labels(spec, rows),
    )


def _labels(spec: ModelSpec, rows: pl.DataFrame) -> NDArray[np.float64] | NDArray[np.bool_]:
    """Return the labels as `label_autocorrelation.dependent_rows` takes them, shape `[series, rows]`.

    A series is the indicator of one of the most frequent classes, or the ranks of numbers: outliers would hide the
    dependence of rows.
    """
    labels = rows[spec.data.label]
    if task_named(spec.task).target == "number":
        return labels.rank("average").to_numpy()[None].astype(np.float64)
    classes = labels.value_counts(sort=True)[spec.data.label]
    # The indicators of two classes have the same information.
    commonest = classes[: 1 if len(classes) == 2 else _MOST_SERIES]  # noqa: PLR2004 - as said
    return np.array([(labels == each).to_numpy() for each in commonest])


def _rows_of_two_classes(spec: ModelSpec, rows: pl.DataFrame) -> int:
    """Return the number of latest rows that include two classes. 0 if labels are numbers, or all the same."""
    if task_named(spec.task).target == "number":
        return 0
    labels = rows[spec.data.label]
    others = (labels != labels[-1]).arg_true()
    return rows.height - int(others[-1]) if len(others) else 0


def _is_usable(spec: ModelSpec, parts: Split) -> bool:
    if parts.training.is_empty():
        return False
    try:
        check_classes(spec, parts)
    except NotEnoughDataError:
        return False
    return True
