"""An estimator whose ONNX graph differs from its model for the largest value of float32."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import helper
from rondo.trainer.onnx_graph.isolated_run import IsolatedRun
from rondo.trainer.onnx_graph.runtime import Scorer
from rondo.trainer.pipeline import Pipeline
from rondo.trainer.worker.app import pipeline

if TYPE_CHECKING:
    from collections.abc import Sequence

    import onnx
    from numpy.typing import NDArray
    from rondo.contracts.spec.policy import Trainer
    from rondo.trainer.estimators.base import Params, Target

LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Step:
    """`FittedModel`: .25 up to a bound of the first column, .75 above. The graph adds `gap` to the largest float32."""

    bound: float
    gap: float

    def predict(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        return np.where(matrix[:, :1] > self.bound, 0.75, 0.25).astype(np.float64)

    def onnx_nodes(self, matrix: str, raw: str) -> Sequence[onnx.NodeProto]:
        constants = {"bound": self.bound, "high": 0.75, "low": 0.25, "largest": LARGEST, "wrong": 0.75 + self.gap}
        return [
            helper.make_node("Constant", [], ["step.column"], value_ints=[0]),
            *(helper.make_node("Constant", [], [f"step.{name}"], value_float=v) for name, v in constants.items()),
            helper.make_node("Gather", [matrix, "step.column"], ["step.values"], axis=1),
            helper.make_node("Greater", ["step.values", "step.bound"], ["step.beyond"]),
            helper.make_node("Where", ["step.beyond", "step.high", "step.low"], ["step.right"]),
            helper.make_node("Equal", ["step.values", "step.largest"], ["step.edge"]),
            helper.make_node("Where", ["step.edge", "step.wrong", "step.right"], [raw]),
        ]


@dataclass(frozen=True)
class StepEstimator:
    """`Estimator` of steps at the median."""

    gap: float

    def check_params(self, task: str, trainer: Trainer) -> Params:  # noqa: ARG002 - it has none
        return {}

    def check_matrix(self, params: Params, columns: Sequence[str], matrix: NDArray[np.float32]) -> None:
        pass

    def fit(
        self,
        target: Target,  # noqa: ARG002
        params: Params,  # noqa: ARG002
        seed: int,  # noqa: ARG002
        matrix: NDArray[np.float32],
        labels: NDArray[np.float32],  # noqa: ARG002
        weights: NDArray[np.float64] | None = None,  # noqa: ARG002
    ) -> Step:
        return Step(float(np.median(matrix[:, 0])), self.gap)


def pipeline_of_steps(gap: float) -> Pipeline:
    """Return a pipeline in which `lightgbm` names the estimator of steps."""
    estimator: Any = StepEstimator(gap)
    return Pipeline({"lightgbm": estimator}, pipeline(1).functions, Scorer(1), IsolatedRun(1))
