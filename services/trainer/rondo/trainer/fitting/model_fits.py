"""Fits models by a spec: first the preparation, then the estimator or the user's function."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rondo.contracts.tasks.registry import task_named
from rondo.trainer.dataset.columns import targets
from rondo.trainer.estimators.base import Target
from rondo.trainer.onnx_graph.feature_model import PreparedModel
from rondo.trainer.preparation import preparation

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

    from rondo.contracts.spec.model import ModelSpec
    from rondo.contracts.spec.policy import Trainer
    from rondo.trainer.estimators.base import Estimator
    from rondo.trainer.onnx_graph.feature_model import FeatureModel
    from rondo.trainer.ports import FunctionTrainer
    from rondo.trainer.preparation.preparation import Preparation


@dataclass(frozen=True, eq=False)
class PreparedRows:
    """Rows as an estimator takes them: `matrix` and `labels`, and the preparation that was fitted to them."""

    rows: pl.DataFrame
    classes: tuple[str, ...]
    labels: NDArray[np.float32]
    preparation: Preparation
    matrix: NDArray[np.float32]


@dataclass(frozen=True)
class ModelFits:
    """Fits models by a spec and the parameters of `trainer`, which a search may have found.

    Without an `estimator` the user's function fits them. `halved` is the estimator with half of its threads, for two
    fits at the same time. None if the library does not allow them.
    """

    spec: ModelSpec
    trainer: Trainer
    estimator: Estimator | None
    functions: FunctionTrainer
    halved: Estimator | None = None

    @property
    def at_once(self) -> tuple[int, ModelFits]:
        """The number of models that may be fitted at the same time, and the object that fits each of them."""
        return (1, self) if self.halved is None else (2, replace(self, estimator=self.halved))

    def classes(self, rows: pl.DataFrame) -> tuple[str, ...]:
        """Return the classes that a model of these rows knows."""
        known = rows[self.spec.data.label].unique().to_list()
        return task_named(self.spec.task).classes(known, self.spec.labels)

    def prepare(self, rows: pl.DataFrame) -> PreparedRows:
        """Fit the preparation to rows.

        Raises:
            HyperparameterError: the parameters can't be used.
            PreparationError: the spec's `prepare` can't be used.
            NothingToImputeError: a column has no value to impute missing ones with.

        """
        spec, classes = self.spec, self.classes(rows)
        if self.estimator is not None:
            self.estimator.check_params(spec.task, self.trainer)
        labels = targets(spec, rows, classes)
        means = self._target(classes).columns(labels)
        prepared, matrix = preparation.fit(spec.features, spec.prepare, rows, means)
        return PreparedRows(rows, classes, labels, prepared, matrix)

    def fit(
        self, prepared: PreparedRows, later: pl.DataFrame, weights: NDArray[np.float64] | None = None
    ) -> FeatureModel:
        """Fit a model to prepared rows. `later` are rows that the model will predict.

        Raises:
            HyperparameterError: the parameters can't be used.
            TrainingImpossibleError: the estimator, or the function, makes no model of these rows.

        """
        trainer, classes = self.trainer, prepared.classes
        if self.estimator is None:
            return self.functions.fit(
                self.spec, classes, prepared.rows, prepared.preparation, prepared.matrix, prepared.labels
            )
        params = self.estimator.check_params(self.spec.task, trainer)
        # An error in the preparation of these rows shows before a fit that may take hours.
        beside = prepared.preparation.apply(later)
        for matrix in (prepared.matrix, beside):
            self.estimator.check_matrix(params, prepared.preparation.columns, matrix)
        target = self._target(classes)
        fitted = self.estimator.fit(target, params, trainer.seed, prepared.matrix, prepared.labels, weights)
        return PreparedModel(prepared.preparation, fitted, known=(later, beside))

    def _target(self, classes: tuple[str, ...]) -> Target:
        return Target(task_named(self.spec.task).target, len(classes))
