"""Runs trials: fits to each inner split with the parameters of a proposal, and evaluates on the later rows."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rondo.contracts.events.training import TrainingNote
from rondo.contracts.spec.parameters.search_space import with_params
from rondo.contracts.tasks.registry import task_named
from rondo.contracts.vocabularies import EndedTrialState, NoteCode
from rondo.trainer.dataset.columns import targets
from rondo.trainer.errors import NoFinitePredictionError, NoInnerSplitError, TrainingImpossibleError
from rondo.trainer.estimators.base import Target
from rondo.trainer.evaluation.metrics import metrics
from rondo.trainer.evaluation.metrics.scored import Scored
from rondo.trainer.preparation import preparation
from rondo.trainer.run import Trial, mean
from rondo.trainer.search.inner_splits import inner_splits
from rondo.trainer.search.trials import is_pruned

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

    from rondo.contracts.spec.model import ModelSpec
    from rondo.contracts.tasks.base import Task
    from rondo.contracts.tasks.metrics import Metric
    from rondo.trainer.estimators.base import Estimator, Params
    from rondo.trainer.run import Proposal
    from rondo.trainer.search.inner_splits import InnerSplit

log = logging.getLogger(__name__)
_DETAIL = 500  # characters of a library's message


@dataclass(frozen=True, eq=False)
class _Prepared:
    """A split as matrices, which all trials share: the preparation is not searched."""

    target: Target
    classes: tuple[str, ...]
    matrix: NDArray[np.float32]
    labels: NDArray[np.float32]
    later: NDArray[np.float32]
    later_labels: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Objective:
    """The prepared splits of a spec's training rows. `notes` name the splits that can't be used."""

    spec: ModelSpec
    estimator: Estimator
    metric: Metric
    splits: tuple[_Prepared, ...]
    notes: tuple[TrainingNote, ...]

    def run(self, proposal: Proposal, earlier: Sequence[Trial]) -> Trial:
        """Run a trial. An error of a library ends it as failed, with the message as `detail`."""
        began = time.monotonic()
        values: list[float | None] = []
        state = EndedTrialState.COMPLETE
        detail = ""
        try:
            params = self.estimator.check_params(self.spec.task, with_params(self.spec.trainer, proposal.params))
            for split in self.splits:
                values.append(self._value(split, params))
                if len(values) < len(self.splits) and self._is_pruned(values, earlier):
                    state = EndedTrialState.PRUNED
                    break
            if mean(values) is None:
                state, detail = EndedTrialState.FAILED, f"{self.metric.title} is not defined on any inner split"
        except Exception as error:  # the boundary of a trial: each library raises other errors
            log.warning("trial %d failed", proposal.number, exc_info=True)
            state, detail = EndedTrialState.FAILED, f"{type(error).__name__}: {error}"[:_DETAIL]
        return Trial(
            proposal.number, proposal.params, proposal.origin, tuple(values), state, time.monotonic() - began, detail
        )

    def _is_pruned(self, values: Sequence[float | None], earlier: Sequence[Trial]) -> bool:
        return is_pruned(values, earlier, higher_is_better=self.metric.higher_is_better)

    def _value(self, split: _Prepared, params: Params) -> float | None:
        task = task_named(self.spec.task)
        model = self.estimator.fit(split.target, params, self.spec.trainer.seed, split.matrix, split.labels)
        raw = model.predict(split.later)
        fitted = task.fitted(split.classes, self.spec.prediction.model_dump(), raw, split.later_labels)
        scored = Scored(fitted, split.later_labels, task.predictions(fitted, raw))
        if not scored.finite:
            raise NoFinitePredictionError(self.spec.trainer.kind, beyond_float32=scored.near_float32_limit)
        return metrics.compute(self.metric.name, scored)


def prepare_objective(spec: ModelSpec, estimator: Estimator, metric: Metric, training: pl.DataFrame) -> Objective:
    """Prepare the splits of training rows, which are in order of event time.

    Raises:
        NoInnerSplitError: no split can be used.

    """
    prepared: list[_Prepared] = []
    skipped: list[str] = []
    params = estimator.check_params(spec.task, spec.trainer)
    for split in inner_splits(spec, training):
        problem = split.problem(spec)
        if problem is None:
            try:
                prepared.append(_prepare(spec, task_named(spec.task), split, estimator, params))
                continue
            except TrainingImpossibleError as error:  # an early split may lack classes or values that later ones have
                problem = str(error)
        skipped.append(f"the search did without its inner split {split.number + 1}: {problem}")
    if not prepared:
        raise NoInnerSplitError(skipped)
    notes = tuple(TrainingNote(code=NoteCode.SEARCH_SPLIT_SKIPPED, message=message) for message in skipped)
    return Objective(spec, estimator, metric, tuple(prepared), notes)


def _prepare(spec: ModelSpec, task: Task, split: InnerSplit, estimator: Estimator, params: Any) -> _Prepared:
    classes = task.classes(split.training[spec.data.label].unique().to_list(), spec.labels)
    target = Target(task.target, len(classes))
    labels = targets(spec, split.training, classes)
    fitted, matrix = preparation.fit(spec.features, spec.prepare, split.training, target.columns(labels))
    later = fitted.apply(split.validation)
    for rows in (matrix, later):
        estimator.check_matrix(params, fitted.columns, rows)
    return _Prepared(target, classes, matrix, labels, later, targets(spec, split.validation, classes))
