"""XGBoost: gradient-boosted trees by histograms, fitted repeatably."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import xgboost

from rondo.contracts.spec.parameters.xgboost import XGBOOST
from rondo.trainer.estimators import xgboost_trees
from rondo.trainer.estimators.boosting import Boosting, FitFailedError
from rondo.trainer.estimators.tree_ensemble import LINKS

if TYPE_CHECKING:
    from collections.abc import Sequence

    import onnx
    from numpy.typing import NDArray

    from rondo.contracts.tasks.base import TargetKind
    from rondo.trainer.estimators.base import Params, Target

OBJECTIVES: dict[TargetKind, str] = {
    "probability": "binary:logistic",
    "probabilities": "multi:softprob",
    "number": "reg:squarederror",
}
# Same rows and same build give the same model, whatever the threads: the histograms are sums of doubles.
REPEATABLE: dict[str, Any] = {"tree_method": "hist", "device": "cpu", "verbosity": 1, "validate_parameters": True}
_LIMITS = np.finfo(np.float32)
# The beginning of a message, such as `[03:57:21] /workspace/src/data/data.cc:568: Check failed: `. Some have none.
_PLACE = re.compile(r"^\[[\d:]+\] \S+:\d+: (Check failed: )?")


class XgBoostModel:
    """`base.FittedModel` of an XGBoost booster."""

    def __init__(self, booster: xgboost.Booster, target: Target) -> None:
        self._booster = booster
        self._target = target

    def predict(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        # Unlike `predict`, it takes infinite values.
        raw: NDArray[np.float64] = np.asarray(self._booster.inplace_predict(matrix), dtype=np.float64)
        return raw.reshape(len(matrix), self._target.width)

    def onnx_nodes(self, matrix: str, raw: str) -> Sequence[onnx.NodeProto]:
        trees = xgboost_trees.read(bytes(self._booster.save_raw("json")), self._target)
        return trees.onnx_nodes(matrix, raw, LINKS[self._target.kind])


class XgBoost(Boosting):
    """`base.Estimator`: fits with at most `threads` threads."""

    library = XGBOOST

    def fit(
        self,
        target: Target,
        params: Params,
        seed: int,
        matrix: NDArray[np.float32],
        labels: NDArray[np.float32],
        weights: NDArray[np.float64] | None = None,
    ) -> XgBoostModel:
        chosen = {name: value for name, value in params.items() if name != "n_estimators"}
        chosen |= REPEATABLE | {"objective": OBJECTIVES[target.kind], "seed": seed, "nthread": self._threads}
        if target.width > 1:
            chosen["num_class"] = target.width
        values, bins = _within_float32(matrix), params.get("max_bin", 256)
        try:
            rows = xgboost.QuantileDMatrix(values, labels, weight=weights, nthread=self._threads, max_bin=bins)
            booster = xgboost.train(chosen, rows, num_boost_round=int(params["n_estimators"]))
        except xgboost.core.XGBoostError as error:
            raise FitFailedError("XGBoost", _why(str(error))) from error
        return XgBoostModel(booster, target)


def _why(message: str) -> str:
    """Return the line of XGBoost's message that says what is wrong, without the place in its source."""
    return _PLACE.sub("", message.strip().partition("\n")[0])


def _within_float32(matrix: NDArray[np.float32]) -> NDArray[np.float32]:
    """Replace infinity by the largest float32, because XGBoost refuses to fit to infinite values."""
    if not np.isinf(matrix).any():
        return matrix
    return np.clip(matrix, _LIMITS.min, _LIMITS.max)
