"""From rows to an evaluated candidate, without files, clock or network."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rondo.contracts.events.training import Parameters
from rondo.contracts.spec.parameters.search_space import own_params, with_params
from rondo.contracts.tasks.registry import task_named
from rondo.contracts.vocabularies import TrainerKind
from rondo.trainer import registration
from rondo.trainer.dataset import data_checks
from rondo.trainer.dataset.columns import targets
from rondo.trainer.dataset.split import split
from rondo.trainer.ensemble.combine import Combined, combine
from rondo.trainer.errors import NoFinitePredictionError, TrainingImpossibleError
from rondo.trainer.estimators.base import Target
from rondo.trainer.evaluation import reference_blocks, reference_profile
from rondo.trainer.evaluation.candidate import FittedCandidate
from rondo.trainer.evaluation.compare import evaluate_candidate
from rondo.trainer.evaluation.holdout import score_holdout
from rondo.trainer.functions.errors import PackageChangedError
from rondo.trainer.onnx_graph import builder, parity
from rondo.trainer.onnx_graph.feature_model import PreparedModel
from rondo.trainer.preparation import inputs, preparation
from rondo.trainer.search.objective import prepare_objective
from rondo.trainer.search.plan import plan_search

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

    from rondo.contracts.events.training import FunctionVersion
    from rondo.contracts.spec.model import ModelSpec
    from rondo.contracts.spec.policy import Trainer
    from rondo.trainer.dataset.split import Split
    from rondo.trainer.dataset.training_set import TrainingSet
    from rondo.trainer.estimators.base import Estimator
    from rondo.trainer.evaluation.candidate import Candidate, ChampionModel
    from rondo.trainer.external_models.model import RunGraph
    from rondo.trainer.onnx_graph.feature_model import FeatureModel
    from rondo.trainer.ports import FunctionTrainer, Score
    from rondo.trainer.preparation.preparation import Preparation
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
    """A search before its first trial: which trials there are, and how one is run."""

    plan: SearchPlan
    objective: Objective

    def found(self, ended: Sequence[Trial]) -> Found:
        """Return what the search found, with the notes of its splits.

        Raises:
            AllTrialsFailedError: no trial is complete.

        """
        found = self.plan.found(ended)
        return replace(found, notes=(*self.objective.notes, *found.notes))


@dataclass(frozen=True)
class Pipeline:
    """The estimators by the names of `trainer.kind`, the functions of the user's own, and runtimes of ONNX models.

    `score` runs ours, and `run` those that were made elsewhere.

    Blocking, for seconds to hours: call it off the event loop.
    """

    estimators: Mapping[str, Estimator]
    functions: FunctionTrainer
    score: Score
    run: RunGraph

    def function_version(self, spec: ModelSpec) -> FunctionVersion | None:
        """Return which code trains; None where a library does.

        Raises:
            TrainingImpossibleError: the package of `trainer.function` is missing, or can't be read.

        """
        if spec.trainer.kind != TrainerKind.FUNCTION:
            return None
        return self.functions.version(spec.trainer.function or "")

    def plan_search(self, spec: ModelSpec, training_set: TrainingSet, champion: ChampionModel | None) -> Search:
        """Return the search of a spec that has one, on all rows but the holdout, before its first trial.

        Raises:
            NoInnerSplitError: the training rows have no inner split that could be used.
            TrainingImpossibleError: as by `fit`.

        """
        estimator = self._estimator(spec)
        parts = _checked_parts(spec, training_set.rows)
        plan = plan_search(spec, _parameters_of(champion))
        return Search(plan, prepare_objective(spec, estimator, plan.metric, parts.training))

    def fit(
        self,
        spec: ModelSpec,
        training_set: TrainingSet,
        champions: Sequence[ChampionModel] = (),
        found: Found | None = None,
    ) -> FittedCandidate:
        """Fit a model to all rows but the latest, which are the holdout, with the parameters that a search found.

        `champions` are the last ones, the newest first, whose models an ensemble may have.

        Raises:
            NotEnoughDataError: the rows have one class only, or one event time.
            LeakError: a feature is the label.
            TooManyClassesError: the label has more classes than a model may have.
            MissingColumnsError: a feature is no column of the rows.
            PreparationError: the spec's `prepare` can't be used.
            NothingToImputeError: a column has no value that missing ones could be taken for.
            HyperparameterError: the spec's parameters can't be used.
            UnsupportedTrainerError: no estimator has the name of `trainer.kind`.
            NoFinitePredictionError: the model gives no finite number for a row of the holdout.
            ParityError: the ONNX graph predicts otherwise than the model.
            PackageChangedError: the code of `trainer.function` was changed meanwhile.

        """
        task, function = task_named(spec.task), self.function_version(spec)
        rows, time, label = training_set.rows, spec.data.event_time, spec.data.label
        parts = _checked_parts(spec, rows)
        trainer = spec.trainer if found is None else with_params(spec.trainer, found.params)
        classes = task.classes(parts.training[label].unique().to_list(), spec.labels)
        model = self._fit(spec, trainer, parts, classes)
        if self.function_version(spec) != function:
            raise PackageChangedError(function.package if function else "")
        alone = Combined(model, parts.holdout, parts.training[time][-1])
        compared = parity.compared_rows(spec.features, rows, spec.trainer.seed)
        made = combine(spec, classes, alone, champions, self.score, compared)
        holdout, scored = score_holdout(spec, classes, made.holdout, made.model.predict)
        if not scored.finite:
            raise NoFinitePredictionError(spec.trainer.kind)
        fitted = scored.task
        parameters = Parameters(kind=trainer.kind, params=own_params(trainer))
        metadata = {
            builder.SPEC_DIGEST: spec.digest,
            builder.TRAINED_UNTIL: made.until.isoformat(),
            builder.PARAMETERS: parameters.model_dump_json(exclude_none=True),
            **made.metadata,
        }
        graph = builder.build(made.model, fitted, metadata)
        profile = reference_profile.of_features(spec.features, rows)
        feature_blocks, projections = reference_blocks.of_features(profile, rows)
        return FittedCandidate(
            model=graph,
            holdout=holdout,
            scored=scored,
            notes=(
                *data_checks.left_out_notes(spec, training_set),
                *data_checks.notes(spec, parts),
                *made.notes,
                *(found.notes if found else ()),
            ),
            parameters=parameters.model_copy(update={"search": found.summary if found else None}),
            parity=parity.compare(
                task.predictions(fitted, made.model.predict(compared)),
                self.score(graph, inputs.onnx_inputs(spec.features, compared)),
                compared,
            ),
            profile=profile,
            feature_blocks=feature_blocks,
            projections=projections,
            training_set_digest=training_set.digest,
            rows=rows.height,
            rows_trained=parts.training.height,
            event_time_from=rows[time][0],
            event_time_to=rows[time][-1],
            rows_weighed=made.rows_weighed,
            function=function,
            members=made.members,
        )

    def take(self, spec: ModelSpec, training_set: TrainingSet, content: bytes) -> FittedCandidate:
        """Take a model that was made elsewhere in the place of a fitted one; see `registration.candidate_of`."""
        return registration.candidate_of(spec, training_set, content, self.run)

    def evaluate(self, spec: ModelSpec, fitted: FittedCandidate, champion: ChampionModel | None) -> Candidate:
        """Evaluate a fitted model and the champion on the same rows."""
        return evaluate_candidate(spec, fitted, champion, self.score)

    def _fit(self, spec: ModelSpec, trainer: Trainer, parts: Split, classes: tuple[str, ...]) -> FeatureModel:
        task = task_named(spec.task)
        target, labels = Target(task.target, len(classes)), targets(spec, parts.training, classes)
        if trainer.kind == TrainerKind.FUNCTION:
            prepared, matrix = _prepare(spec, parts, target, labels)
            return self.functions.fit(spec, classes, parts.training, prepared, matrix, labels)
        estimator = self._estimator(spec)
        params = estimator.check_params(task.name, trainer)
        prepared, matrix = _prepare(spec, parts, target, labels)
        # Before a fit that may take hours.
        estimator.check_matrix(params, prepared.columns, matrix)
        estimator.check_matrix(params, prepared.columns, prepared.apply(parts.holdout))
        return PreparedModel(prepared, estimator.fit(target, params, trainer.seed, matrix, labels))

    def _estimator(self, spec: ModelSpec) -> Estimator:
        try:
            return self.estimators[spec.trainer.kind]
        except KeyError:
            known = (*self.estimators, TrainerKind.FUNCTION.value)
            raise UnsupportedTrainerError(spec.trainer.kind, known) from None


def _checked_parts(spec: ModelSpec, rows: pl.DataFrame) -> Split:
    inputs.check_columns(spec.features, rows)
    parts = split(spec, rows)
    data_checks.refuse_leak(spec, parts.training)
    return parts


def _parameters_of(champion: ChampionModel | None) -> Parameters | None:
    return builder.read_parameters(champion.model) if champion and champion.model else None


def _prepare(
    spec: ModelSpec, parts: Split, target: Target, labels: NDArray[np.float32]
) -> tuple[Preparation, NDArray[np.float32]]:
    return preparation.fit(spec.features, spec.prepare, parts.training, target.columns(labels))
