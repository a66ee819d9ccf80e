"""Makes an evaluated candidate from rows, without files, clock or network."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from rondo.contracts.events.training import Parameters
from rondo.contracts.spec.parameters.search_space import own_params, with_params
from rondo.contracts.tasks.registry import task_named
from rondo.contracts.vocabularies import TrainerKind
from rondo.trainer import registration
from rondo.trainer.adaptation.strategies import ALL, Strategy
from rondo.trainer.dataset import data_checks
from rondo.trainer.dataset.split import split
from rondo.trainer.ensemble.combine import Combined, combine
from rondo.trainer.errors import NoFinitePredictionError, TrainingImpossibleError
from rondo.trainer.evaluation import feature_reference
from rondo.trainer.evaluation.candidate import FittedCandidate
from rondo.trainer.evaluation.compare import evaluate_candidate
from rondo.trainer.evaluation.holdout import coverage_notes, score_holdout
from rondo.trainer.evaluation.importance import permutation_importance
from rondo.trainer.fitting.choose import can_refit, choose_strategy, refit
from rondo.trainer.fitting.model_fits import ModelFits
from rondo.trainer.fitting.plan import plan_strategies
from rondo.trainer.fitting.report import report
from rondo.trainer.functions.errors import PackageChangedError
from rondo.trainer.onnx_graph import builder, parity
from rondo.trainer.onnx_graph.background_values import background
from rondo.trainer.onnx_graph.feature_model import ComparedModel
from rondo.trainer.preparation import inputs, levels
from rondo.trainer.search.objective import prepare_objective
from rondo.trainer.search.plan import plan_search

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from concurrent.futures import Future
    from datetime import datetime

    import polars as pl
    from numpy.typing import NDArray

    from rondo.contracts.events.training import Adaptation, FunctionVersion, TrainingNote
    from rondo.contracts.spec.model import ModelSpec
    from rondo.contracts.tasks.base import FittedTask
    from rondo.trainer.adaptation.training_window import AdaptationState
    from rondo.trainer.dataset.split import Split
    from rondo.trainer.dataset.training_set import TrainingSet
    from rondo.trainer.estimators.base import Estimator
    from rondo.trainer.evaluation.candidate import Candidate, ChampionModel
    from rondo.trainer.evaluation.feature_reference import FeatureReference
    from rondo.trainer.evaluation.metrics.scored import Scored
    from rondo.trainer.external_models.model import RunGraph
    from rondo.trainer.fitting.choose import Chosen
    from rondo.trainer.fitting.plan import Planned
    from rondo.trainer.onnx_graph.feature_model import FeatureModel
    from rondo.trainer.ports import FunctionTrainer, Score
    from rondo.trainer.run import Trial
    from rondo.trainer.search.objective import Objective
    from rondo.trainer.search.plan import Found, SearchPlan


class UnsupportedTrainerError(TrainingImpossibleError):
    """The spec names a trainer that this release does not have."""

    code = "unsupported_trainer"

    def __init__(self, kind: str, known: tuple[str, ...]) -> None:
        self.kind = kind
        super().__init__(f"`trainer.kind: {kind}` is not supported: use {' or '.join(known)}")


@dataclass(frozen=True)
class Search:
    """A search before its first trial: its plan, and the objective that runs a trial."""

    plan: SearchPlan
    objective: Objective

    def found(self, ended: Sequence[Trial]) -> Found:
        """Return the result of the search, with the notes of its splits.

        Raises:
            AllTrialsFailedError: no trial is complete.

        """
        found = self.plan.found(ended)
        return replace(found, notes=(*self.objective.notes, *found.notes))


@dataclass(frozen=True, eq=False)
class _OfRows:
    """Results that need only the rows, and no model. They are computed during the fit."""

    compared: Future[pl.DataFrame]
    background: Future[dict[str, str]]
    reference: Future[FeatureReference]
    notes: Future[tuple[TrainingNote, ...]]


@dataclass(frozen=True, eq=False)
class _Fitted:
    """The model that is evaluated on the holdout of `parts`, and the `refitted` model that serves in its place, if any.

    `rows` are the rows of the served model in order of time, and always include the holdout.
    """

    parts: Split
    model: FeatureModel
    refitted: FeatureModel | None
    rows: pl.DataFrame
    of_rows: _OfRows
    function: FunctionVersion | None
    adaptation: Adaptation | None


@dataclass(frozen=True)
class Pipeline:
    """The estimators by the names of `trainer.kind`, the user's functions, and runtimes of ONNX models.

    `score` runs models that this trainer built, and `run` models that were made elsewhere. `halved` has estimators with
    half of the threads, for libraries that allow two fits at the same time.

    The methods block for seconds to hours: call them off the event loop.
    """

    estimators: Mapping[str, Estimator]
    functions: FunctionTrainer
    score: Score
    run: RunGraph
    halved: Mapping[str, Estimator] = field(default_factory=dict)

    def function_version(self, spec: ModelSpec) -> FunctionVersion | None:
        """Return the version of the user's code that trains. None if a library trains.

        Raises:
            TrainingImpossibleError: the package of `trainer.function` is missing, or can't be read.

        """
        if spec.trainer.kind != TrainerKind.FUNCTION:
            return None
        return self.functions.version(spec.trainer.function or "")

    def plan(
        self,
        spec: ModelSpec,
        training_set: TrainingSet,
        state: AdaptationState | None,
        champion: ChampionModel | None,
        since: datetime | None,
    ) -> Planned:
        """Plan a training that compares strategies, see `fitting.plan`."""
        return plan_strategies(spec, training_set.rows, state, champion, since)

    def plan_search(
        self,
        spec: ModelSpec,
        training_set: TrainingSet,
        champion: ChampionModel | None,
        planned: Planned | None = None,
    ) -> Search:
        """Return the search of a spec that has one, before its first trial.

        The search uses all rows but the holdout, or the rows of the leading strategy of a plan.

        Raises:
            NoInnerSplitError: the training rows have no usable inner split.
            TrainingImpossibleError: as by `fit`.

        """
        estimator = self._estimator(spec)
        training = _checked_parts(spec, training_set.rows).training if planned is None else planned.leading
        plan = plan_search(spec, _parameters_of(champion))
        return Search(plan, prepare_objective(spec, estimator, plan.metric, training))

    def choose(
        self, spec: ModelSpec, planned: Planned, champion: ChampionModel | None, found: Found | None = None
    ) -> Chosen:
        """Fit the strategies of a plan, with the parameters that a search found, and choose one of them.

        Raises:
            TrainingImpossibleError: as by `fit`.

        """
        function, fits = self.function_version(spec), self._fits(spec, found)
        return replace(choose_strategy(fits, planned, champion, self.score), function=function)

    def fit(
        self,
        spec: ModelSpec,
        training_set: TrainingSet,
        champions: Sequence[ChampionModel] = (),
        found: Found | None = None,
        chosen: Chosen | None = None,
    ) -> FittedCandidate:
        """Fit a model to all rows but the holdout, or take the model of the strategy that was `chosen`.

        `found` are the parameters that a search found. If models are refitted, the served model is fitted to the
        holdout as well, after the evaluation. `champions` are the last champions, the newest first, whose models may be
        members of an ensemble.

        Raises:
            NotEnoughDataError: the rows have one class only, or one event time.
            LeakError: a feature is the label.
            TooManyClassesError: the label has more classes than a model may have.
            MissingColumnsError: a feature is no column of the rows.
            PreparationError: the spec's `prepare` can't be used.
            NothingToImputeError: a column has no value to impute missing ones with.
            HyperparameterError: the spec's parameters can't be used.
            UnsupportedTrainerError: no estimator has the name of `trainer.kind`.
            NoFinitePredictionError: the model gives no finite number for a row of the holdout.
            ParityError: the predictions of the ONNX graph differ from those of the model.
            PackageChangedError: the code of `trainer.function` was changed meanwhile.

        """
        fits, rows = self._fits(spec, found), levels.encoded(spec.features, training_set.rows)
        function = self.function_version(spec) if chosen is None else chosen.function
        parts = _checked_parts(spec, rows) if chosen is None else chosen.parts
        served = Strategy(ALL, 0) if chosen is None else chosen.served
        refits = can_refit(fits, rows, served, parts)
        first = chosen.first if chosen is not None and not refits else served.first
        with ThreadPoolExecutor(1) as pool:
            # A training does not keep all cores busy, and these tasks need no model.
            held_out = parts.holdout.height
            compared = pool.submit(parity.compared_rows, spec.features, rows[first:], spec.trainer.seed, held_out)
            unknown = pool.submit(background, spec.features, rows[first:], spec.trainer.seed)
            reference = pool.submit(feature_reference.of_rows, spec.features, rows[first:])
            notes = pool.submit(lambda: tuple(data_checks.notes(spec, parts)))
            model = fits.fit(fits.prepare(parts.training), parts.holdout) if chosen is None else chosen.model
            refitted = refit(fits, rows, served) if refits else None
            if self.function_version(spec) != function:
                raise PackageChangedError(function.package if function else "")
            adaptation = None if chosen is None else report(chosen, refitted=refits)
            of_rows = _OfRows(compared, unknown, reference, notes)
            made = _Fitted(parts, model, refitted, rows[first:], of_rows, function, adaptation)
            return self._candidate(fits, training_set, made, champions, found)

    def _candidate(
        self,
        fits: ModelFits,
        training_set: TrainingSet,
        fit: _Fitted,
        champions: Sequence[ChampionModel],
        found: Found | None,
    ) -> FittedCandidate:
        spec, parts, rows, time = fits.spec, fit.parts, fit.rows, fit.rows[fits.spec.data.event_time]
        classes = fits.classes(parts.training)
        alone = Combined(fit.model, parts.holdout, parts.training[spec.data.event_time][-1])
        compared = fit.of_rows.compared.result()
        made = combine(spec, classes, alone, champions, self.score, compared)
        holdout, scored = score_holdout(spec, classes, made.holdout, made.model.predict)
        if not scored.finite:
            raise NoFinitePredictionError(spec.trainer.kind, beyond_float32=scored.near_float32_limit)
        fitted, served = scored.task, made.model if fit.refitted is None else fit.refitted
        parameters = Parameters(kind=fits.trainer.kind, params=own_params(fits.trainer))
        metadata = {
            builder.SPEC_DIGEST: spec.digest,
            builder.TRAINED_UNTIL: (made.until if fit.refitted is None else time[-1]).isoformat(),
            builder.PARAMETERS: parameters.model_dump_json(exclude_none=True),
            **fit.of_rows.background.result(),
            **made.metadata,
        }
        graph = builder.build(served, fitted, metadata)
        predict = self.score.loaded(graph)
        compared_outputs = parity.compare(
            fitted,
            lambda at: served.predict(compared[at]),
            _native_outputs(served, fitted, compared, scored if fit.refitted is None else None),
            predict(inputs.onnx_inputs(spec.features, compared)),
            compared,
            native=served.native,
        )
        if isinstance(served, ComparedModel):
            raw = served.raw
            own = task_named(fitted.task).predictions(fitted, raw)
            given = predict(inputs.onnx_inputs(spec.features, served.rows))
            of_function = parity.compare(fitted, lambda at: raw[at], own, given, served.rows, native=True)
            compared_outputs = parity.beside_native(compared_outputs, of_function)
        # A refitted model has seen the holdout, on which it also needs features without any information.
        evaluated = predict if fit.refitted is None else self.score.loaded(builder.build(made.model, fitted, {}))
        importance = permutation_importance(spec, holdout, scored, evaluated)
        return FittedCandidate(
            model=graph,
            holdout=holdout,
            scored=scored,
            notes=(
                *data_checks.left_out_notes(spec, training_set),
                *fit.of_rows.notes.result(),
                *made.notes,
                *data_checks.calibration_notes(spec, made.holdout),
                *coverage_notes(scored),
                *(found.notes if found else ()),
            ),
            parameters=parameters.model_copy(update={"search": found.summary if found else None}),
            parity=compared_outputs,
            reference=fit.of_rows.reference.result(),
            training_set_digest=training_set.digest,
            rows=rows.height,
            rows_trained=parts.training.height,
            event_time_from=time[0],
            event_time_to=time[-1],
            rows_weighed=made.rows_weighed,
            function=fit.function,
            members=made.members,
            adaptation=fit.adaptation,
            refitted=fit.refitted is not None,
            importance=importance,
            trials=found.trials if found else (),
        )

    def take(self, spec: ModelSpec, training_set: TrainingSet, content: bytes) -> FittedCandidate:
        """Make a candidate of a model that was made elsewhere. See `registration.candidate_of`."""
        return registration.candidate_of(spec, training_set, content, self.run)

    def evaluate(self, spec: ModelSpec, fitted: FittedCandidate, champion: ChampionModel | None) -> Candidate:
        """Evaluate a fitted model and the champion on the same rows."""
        return evaluate_candidate(spec, fitted, champion, self.score)

    def _fits(self, spec: ModelSpec, found: Found | None) -> ModelFits:
        trainer = spec.trainer if found is None else with_params(spec.trainer, found.params)
        estimator = None if trainer.kind == TrainerKind.FUNCTION else self._estimator(spec)
        return ModelFits(spec, trainer, estimator, self.functions, self.halved.get(trainer.kind))

    def _estimator(self, spec: ModelSpec) -> Estimator:
        try:
            return self.estimators[spec.trainer.kind]
        except KeyError:
            known = (*self.estimators, TrainerKind.FUNCTION.value)
            raise UnsupportedTrainerError(spec.trainer.kind, known) from None


def _native_outputs(
    served: FeatureModel, fitted: FittedTask, compared: pl.DataFrame, scored: Scored | None
) -> dict[str, NDArray[Any]]:
    """Return the model's outputs for the compared rows. `scored` are its outputs for the holdout, None if it has none.

    The compared rows begin with the latest rows, which are also the end of the holdout.
    """
    latest = parity.LATEST_ROWS
    known = 0 if scored is None or len(scored) < latest else latest
    outputs = task_named(fitted.task).predictions(fitted, served.predict(compared[known:]))
    if scored is None or not known:
        return outputs
    return {name: np.concatenate([scored.outputs[name][-known:], found]) for name, found in outputs.items()}


def _checked_parts(spec: ModelSpec, rows: pl.DataFrame) -> Split:
    inputs.check_columns(spec.features, rows)
    parts = split(spec, rows)
    data_checks.refuse_leak(spec, parts.training)
    return parts


def _parameters_of(champion: ChampionModel | None) -> Parameters | None:
    return builder.read_parameters(champion.model) if champion and champion.model else None
