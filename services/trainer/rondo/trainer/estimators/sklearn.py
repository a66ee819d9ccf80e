"""scikit-learn: transformers and an estimator, fitted repeatably.

Both the fit and the ONNX graph compute with doubles, so they agree at the limits of float32, too. The prediction of a
row with an infinite value, or with a missing one that the steps don't take, is NaN: scikit-learn raises an error there.
"""

from __future__ import annotations

import logging
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import sklearn
from scipy.sparse.linalg import ArpackError
from threadpoolctl import ThreadpoolController

from rondo.contracts.spec.parameters.sklearn import takes_missing
from rondo.trainer.errors import TrainingImpossibleError
from rondo.trainer.estimators import sklearn_matrix, sklearn_nodes, sklearn_steps, sklearn_trees

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import onnx
    from numpy.typing import NDArray

    from rondo.contracts.spec.policy import Trainer
    from rondo.trainer.estimators.base import Params, Target

log = logging.getLogger(__name__)
# scikit-learn, imported above, has loaded all BLAS libraries. To look for them takes some milliseconds.
_LIBRARIES = ThreadpoolController()


class StepsFailedError(TrainingImpossibleError):
    """scikit-learn can't fit the steps to the rows, such as with parameters that exclude each other."""

    code = "steps_failed"

    def __init__(self, why: str) -> None:
        super().__init__(f"scikit-learn can't fit `trainer.steps` to these rows ({why}): change what it names")


class SklearnModel:
    """`base.FittedModel` of a pipeline of scikit-learn."""

    def __init__(self, steps: Sequence[Any], target: Target, *, missing: bool) -> None:
        self._steps = steps
        self._target = target
        self._missing = missing

    def predict(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        taken = sklearn_matrix.rows_taken(matrix, missing=self._missing)
        raw = np.full((len(matrix), self._target.width), np.nan)
        if taken.any():
            raw[taken] = self._predict(matrix[taken])
        return raw

    def _predict(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        with _quietly(), sklearn.config_context(assume_finite=True):
            rows: Any = matrix.astype(_precision(self._steps), copy=False)
            for transformer in self._steps[:-1]:
                rows = transformer.transform(rows)
            if self._target.kind == "number":
                found = np.asarray(self._steps[-1].predict(rows)).reshape(-1, 1)
            else:
                found = np.asarray(self._steps[-1].predict_proba(rows))[:, -self._target.width :]
            # A value beyond float32 is infinite, as in the graph.
            return found.astype(np.float32).astype(np.float64)

    def onnx_nodes(self, matrix: str, raw: str) -> Sequence[onnx.NodeProto]:
        estimator, unguarded = self._steps[-1], "sklearn.unguarded"
        with _quietly():
            nodes, rows = sklearn_nodes.of_transformers(self._steps[:-1], matrix)
            if sklearn_trees.is_made_of_trees(estimator):
                nodes += sklearn_trees.onnx_nodes(estimator, self._target, rows, unguarded)
            else:
                nodes += sklearn_nodes.of_estimator(estimator, self._target, rows, unguarded)
        return [*nodes, *sklearn_matrix.guard(matrix, unguarded, raw, missing=self._missing)]


class Sklearn:
    """`base.Estimator`: fits with at most `threads` threads. `params` has the `steps` of the spec."""

    def __init__(self, threads: int) -> None:
        self._threads = threads

    def check_params(self, task: str, trainer: Trainer) -> Params:
        """Check again what `rondo apply` checks, and let scikit-learn check the values."""
        sklearn_steps.check(task, trainer.steps)
        return {"steps": trainer.steps}

    def check_matrix(self, params: Params, columns: Sequence[str], matrix: NDArray[np.float32]) -> None:
        sklearn_matrix.check([step.use for step in params["steps"]], columns, matrix)

    def fit(
        self,
        target: Target,
        params: Params,
        seed: int,
        matrix: NDArray[np.float32],
        labels: NDArray[np.float32],
        weights: NDArray[np.float64] | None = None,
    ) -> SklearnModel:
        """Fit the steps, one after the other.

        Raises:
            StepsFailedError: scikit-learn refuses the combination of parameters, or the rows.

        """
        steps = sklearn_steps.build(target.kind, params["steps"], seed, self._threads)
        labels = labels.astype(np.float64 if target.kind == "number" else np.int64)
        try:
            with _quietly():
                _fit(steps, matrix.astype(_precision(steps), copy=False), labels, weights)
        # A solver of ARPACK that does not converge raises no `ValueError`, unlike a solver of LAPACK.
        except (ValueError, ArpackError) as error:
            raise StepsFailedError(str(error).partition("\n")[0]) from error
        return SklearnModel(steps, target, missing=takes_missing(step.use for step in params["steps"]))


def _fit(steps: Sequence[Any], rows: Any, labels: NDArray[np.generic], weights: NDArray[np.float64] | None) -> None:
    for transformer in steps[:-1]:
        fitted = sklearn_steps.without_noise(transformer.fit(rows, labels))
        rows = fitted.transform(rows)
    steps[-1].fit(rows, labels, sample_weight=weights)


def _precision(steps: Sequence[Any]) -> type[np.floating[Any]]:
    """Return the type of the numbers: float32 if the only step is an estimator of trees, which then needs no copy."""
    return np.float32 if len(steps) == 1 and sklearn_trees.is_made_of_trees(steps[0]) else np.float64


@contextmanager
def _quietly() -> Iterator[None]:
    """Log the warnings of scikit-learn, and compute with one thread where the number of threads changes rounding."""
    with _LIBRARIES.limit(limits=1, user_api="blas"), np.errstate(all="ignore"):
        with warnings.catch_warnings(record=True) as found:
            warnings.simplefilter("always")
            yield
        for message in dict.fromkeys(str(each.message) for each in found):
            log.warning("scikit-learn: %s", message)
