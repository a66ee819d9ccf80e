"""Fits and scores the models of a plan, and takes the model of the leading strategy."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import groupby
from threading import Lock
from typing import TYPE_CHECKING

from rondo.contracts.tasks.registry import task_named
from rondo.trainer.adaptation import training_window
from rondo.trainer.adaptation.strategies import CHAMPION
from rondo.trainer.dataset import data_checks
from rondo.trainer.dataset.columns import micros, targets
from rondo.trainer.dataset.split import check_classes
from rondo.trainer.errors import NoFinitePredictionError, NotEnoughDataError
from rondo.trainer.evaluation.compare import score_champion, trained_until
from rondo.trainer.evaluation.metrics.scored import Scored
from rondo.trainer.evaluation.weighted_metrics import losses_of_rows
from rondo.trainer.fitting.plan import plan_suspicion
from rondo.trainer.preparation.impute import NothingToImputeError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import TypeAlias

    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

    from rondo.contracts.events.training import FunctionVersion
    from rondo.trainer.adaptation.strategies import Strategy
    from rondo.trainer.adaptation.training_window import Choice
    from rondo.trainer.dataset.split import Split
    from rondo.trainer.evaluation.candidate import ChampionModel
    from rondo.trainer.fitting.model_fits import ModelFits, PreparedRows
    from rondo.trainer.fitting.plan import Planned
    from rondo.trainer.onnx_graph.feature_model import FeatureModel
    from rondo.trainer.ports import Score

    Losses: TypeAlias = "NDArray[np.float64]"

log = logging.getLogger(__name__)
# Errors that a strategy with few rows may have while one with more rows has none.
_LEAVES_OUT = (NotEnoughDataError, NothingToImputeError, NoFinitePredictionError)


@dataclass(frozen=True, eq=False)
class Chosen:
    """The strategy whose rows are taken, and its model. `parts` are the rows that it was fitted to, and the holdout.

    `served` is the strategy for all rows. `fitted` has the number of rows that each scored model was fitted to, and
    `losses` their mean losses on the holdout. `function` is the code that fitted them, None if a library did.
    `next_growth` is the share of new rows from which the next training starts. None until it is known.
    """

    planned: Planned
    choice: Choice
    parts: Split
    model: FeatureModel
    served: Strategy
    fitted: Mapping[str, int]
    losses: Mapping[str, float]
    function: FunctionVersion | None = None
    next_growth: float | None = None

    @property
    def first(self) -> int:
        """The first row that the scored model was fitted to."""
        return self.planned.fit_plan.held.fit - self.parts.training.height


def choose_strategy(fits: ModelFits, planned: Planned, champion: ChampionModel | None, score: Score) -> Chosen:
    """Fit and score the planned models, and choose by their losses.

    If the previous leader has become worse, the change is checked as if it had been suspected before.

    Raises:
        LeakError: a feature is the label.
        TrainingImpossibleError: no strategy could be fitted.

    """
    plan = planned.fit_plan
    data_checks.refuse_leak(fits.spec, planned.rows[: plan.held.fit])
    models, losses = _fit_and_score(fits, planned)
    made = tuple(each for each in plan.strategies if each.name in models)
    if plan.change is not None and made == plan.strategies:
        choice = training_window.decide_window_start(planned.at, planned.state, plan, losses)
    else:
        if plan.compared:
            losses |= _of_champion(fits, planned, champion, score)
        choice = training_window.choose_leader(planned.at, planned.state, replace(plan, strategies=made), losses)
        again = None if choice.worse_since is None else plan_suspicion(fits.spec, planned, choice.worse_since)
        if again is not None:
            return choose_strategy(fits, again, champion, score)
    (strategy,) = (each for each in made if each.name == choice.leader)
    return Chosen(
        planned=planned,
        choice=choice,
        parts=planned.parts(strategy),
        model=models[choice.leader],
        served=training_window.strategy_for_all_rows(planned.at, plan, choice),
        fitted={each.name: plan.held.fit - each.first for each in made},
        losses={name: float(each.mean()) for name, each in losses.items()},
    )


def can_refit(fits: ModelFits, rows: pl.DataFrame, served: Strategy, parts: Split) -> bool:
    """Return whether the served model is fitted to the holdout as well.

    False if it would know other classes than the evaluated model. The evaluated model then serves.
    """
    return fits.spec.refits and fits.classes(rows[served.first :]) == fits.classes(parts.training)


def refit(fits: ModelFits, rows: pl.DataFrame, served: Strategy) -> FeatureModel:
    """Return the model of a strategy that is fitted to the holdout as well."""
    taken = rows[served.first :]
    return fits.fit(fits.prepare(taken), taken.tail(1), served.weights(rows.height))


def _fit_and_score(fits: ModelFits, planned: Planned) -> tuple[dict[str, FeatureModel], dict[str, Losses]]:
    """Return the models of the strategies that have one, and their losses on the holdout."""
    models: dict[str, FeatureModel] = {}
    losses: dict[str, Losses] = {}
    failures: list[Exception] = []
    workers, each_fits = fits.at_once
    with ThreadPoolExecutor(workers) as pool:
        # The longest fits begin first, so that the last ones are short.
        fitted = [
            (each, pool.submit(_fit_one, each_fits, rows, each))
            for rows in _rows_of_strategies(each_fits, planned)
            for each in rows.strategies
        ]
        try:
            for strategy, found in fitted:
                try:
                    models[strategy.name], losses[strategy.name] = found.result()
                except _LEAVES_OUT as failure:
                    log.info("no model of %s: %s", strategy.name, failure)
                    failures.append(failure)
        finally:
            # Any other failure ends the run, so fits that have not begun are cancelled.
            pool.shutdown(wait=False, cancel_futures=True)
    if not models:
        raise failures[0]
    return models, losses


class _StrategyRows:
    """The rows of strategies that share one matrix. It is prepared when the first of them is fitted."""

    def __init__(self, fits: ModelFits, planned: Planned, strategies: Sequence[Strategy]) -> None:
        self.planned, self.strategies, self.later = planned, strategies, planned.holdout
        self._fits, self._lock = fits, Lock()
        self._prepared: PreparedRows | None = None

    def prepared(self) -> PreparedRows:
        with self._lock:
            if self._prepared is None:
                parts = self.planned.parts(self.strategies[0])
                check_classes(self._fits.spec, parts)
                self._prepared = self._fits.prepare(parts.training)
            return self._prepared


def _rows_of_strategies(fits: ModelFits, planned: Planned) -> Iterator[_StrategyRows]:
    strategies = sorted(planned.fit_plan.strategies, key=lambda each: each.first)
    for _, group in groupby(strategies, key=lambda each: each.first):
        yield _StrategyRows(fits, planned, list(group))


def _fit_one(fits: ModelFits, rows: _StrategyRows, strategy: Strategy) -> tuple[FeatureModel, Losses]:
    prepared, later = rows.prepared(), rows.later
    model = fits.fit(prepared, later, strategy.weights(rows.planned.fit_plan.held.fit))
    return model, _losses(fits, prepared.classes, later, model)


def _losses(fits: ModelFits, classes: tuple[str, ...], holdout: pl.DataFrame, model: FeatureModel) -> Losses:
    spec, task = fits.spec, task_named(fits.spec.task)
    raw, known = model.predict(holdout), targets(spec, holdout, classes)
    fitted = task.fitted(classes, spec.prediction.model_dump(), raw, known)
    scored = Scored(fitted, known, task.predictions(fitted, raw))
    if not scored.finite:
        raise NoFinitePredictionError(spec.trainer.kind, beyond_float32=scored.near_float32_limit)
    return losses_of_rows(scored)


def _of_champion(fits: ModelFits, planned: Planned, champion: ChampionModel | None, score: Score) -> dict[str, Losses]:
    """Return the champion's losses on the holdout. Empty if it was fitted to a row of it, or is newer than a row of it.

    The label delay passes between a champion's newest row and its first prediction.
    """
    until, start = trained_until(champion), int(planned.at.times[planned.fit_plan.held.start])
    if until is None or start <= micros(until) + planned.at.delay:
        return {}
    scored, _ = score_champion(fits.spec, champion, planned.holdout, score)
    return {} if scored is None else {CHAMPION: losses_of_rows(scored)}
