"""LightGBM: gradient-boosted trees, fitted repeatably."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from rondo.contracts.spec.parameters.lightgbm import LIGHTGBM
from rondo.trainer.errors import OpenMpMissingError
from rondo.trainer.estimators import lightgbm_trees
from rondo.trainer.estimators.boosting import Boosting, FitFailedError
from rondo.trainer.estimators.tree_ensemble import LINKS

try:
    import lightgbm
except OSError as error:
    raise OpenMpMissingError(str(error)) from error

if TYPE_CHECKING:
    from collections.abc import Sequence

    import onnx
    from numpy.typing import NDArray

    from rondo.contracts.tasks.base import TargetKind
    from rondo.trainer.estimators.base import Params, Target

# Same rows and same build give the same model, whatever the threads (LightGBM's documentation of `deterministic`).
OBJECTIVES: dict[TargetKind, str] = {"probability": "binary", "probabilities": "multiclass", "number": "regression"}
REPEATABLE: dict[str, Any] = {"deterministic": True, "force_row_wise": True, "verbosity": -1}


class LightGbmModel:
    """`base.FittedModel` of a LightGBM booster."""

    def __init__(self, booster: lightgbm.Booster, target: Target, threads: int) -> None:
        self._booster = booster
        self._target = target
        self._threads = threads

    def predict(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        # LightGBM has one number of threads per process: another number here would disturb a concurrent fit.
        found = self._booster.predict(matrix, num_threads=self._threads)
        raw: NDArray[np.float64] = np.asarray(found, dtype=np.float64)
        return raw.reshape(len(matrix), self._target.width)

    def onnx_nodes(self, matrix: str, raw: str) -> Sequence[onnx.NodeProto]:
        trees = lightgbm_trees.read(self._booster.model_to_string(), self._target.width)
        return trees.onnx_nodes(matrix, raw, LINKS[self._target.kind])


class LightGbm(Boosting):
    """`base.Estimator`: fits with at most `threads` threads."""

    library = LIGHTGBM

    def fit(
        self,
        target: Target,
        params: Params,
        seed: int,
        matrix: NDArray[np.float32],
        labels: NDArray[np.float32],
        weights: NDArray[np.float64] | None = None,
    ) -> LightGbmModel:
        chosen: dict[str, Any] = {name: value for name, value in params.items() if name != "n_estimators"}
        chosen |= REPEATABLE | {"objective": OBJECTIVES[target.kind], "seed": seed, "num_threads": self._threads}
        if target.width > 1:
            chosen["num_class"] = target.width
        dataset = lightgbm.Dataset(matrix, labels, weight=weights, params=chosen)
        try:
            booster = lightgbm.train(chosen, dataset, num_boost_round=int(params["n_estimators"]))
        except lightgbm.basic.LightGBMError as error:
            raise FitFailedError("LightGBM", str(error).partition("\n")[0]) from error
        return LightGbmModel(booster, target, self._threads)
