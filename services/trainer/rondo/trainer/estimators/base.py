"""The protocol of an estimator.

A new library is one file here that implements the protocol, and a line in `worker/app.py` that registers it. The rules
of its parameters, by which `rondo apply` checks a spec, have a line in `rondo.contracts.spec.parameters.checks`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np

from rondo.trainer.errors import TrainingImpossibleError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import onnx
    from numpy.typing import NDArray

    from rondo.contracts.spec.policy import Trainer
    from rondo.contracts.tasks.base import TargetKind

# The result of `check_params`. Each estimator has its own keys.
Params: TypeAlias = "Mapping[str, Any]"
# The versions of the nodes' operators. Any onnxruntime of the last years supports them.
OPSET, ML_OPSET = 15, 3


class HyperparameterError(TrainingImpossibleError):
    """Parameters of the spec can't be used. `problems` has a sentence for each."""

    code = "hyperparameters"

    def __init__(self, problems: tuple[str, ...]) -> None:
        self.problems = problems
        super().__init__("the parameters of `trainer` can't be used: " + "; ".join(problems))


@dataclass(frozen=True)
class Target:
    """The kind of a raw prediction, and the number of classes. The number is 0 if the prediction is a number."""

    kind: TargetKind
    classes: int

    @property
    def width(self) -> int:
        """The number of columns of a raw prediction: one per class if it has the probabilities of all, else one."""
        return self.classes if self.kind == "probabilities" else 1

    def columns(self, labels: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return labels as numbers to take means of, shape `[rows, width]`: a 0 or 1 for each of several classes."""
        if self.width == 1:
            return labels.reshape(-1, 1)
        return np.asarray(labels[:, None] == np.arange(self.classes), np.float32)


class FittedModel(Protocol):
    def predict(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the raw predictions for `[rows, features]`, shape `[rows, width]`.

        A raw prediction is the probability of the class with index 1, the probabilities of all classes in the order of
        their indices, or the value.
        """
        ...

    def onnx_nodes(self, matrix: str, raw: str) -> Sequence[onnx.NodeProto]:
        """Return the nodes that compute the tensor `raw`, float32 `[N, width]`, from `matrix`, float32 `[N, features]`.

        The types of all attributes are explicit. Names of tensors in between contain a dot, which no feature's does.

        Raises:
            UnsupportedSplitError: the model has a part that ONNX can't express.

        """
        ...


class Estimator(Protocol):
    """A library that fits models. The same arguments give the same model, whatever the threads."""

    def check_params(self, task: str, trainer: Trainer) -> Params:
        """Return what `fit` takes, from the `trainer` of a spec.

        Raises:
            HyperparameterError: a name is unknown, a type is wrong, or a value is out of range. It has all problems.

        """
        ...

    def check_matrix(self, params: Params, columns: Sequence[str], matrix: NDArray[np.float32]) -> None:
        """Check the rows before the fit. `matrix` is `[rows, columns]`, and `columns` has the names.

        Raises:
            TrainingImpossibleError: the library takes no missing or infinite values, and there are some.

        """
        ...

    def fit(
        self,
        target: Target,
        params: Params,
        seed: int,
        matrix: NDArray[np.float32],
        labels: NDArray[np.float32],
        weights: NDArray[np.float64] | None = None,
    ) -> FittedModel:
        """Fit `[rows, features]` to labels, shape `[rows]`: 0 and 1, the indices of classes, or numbers.

        `params` are the result of `check_params`. `weights` are the weights of the rows, shape `[rows]`.
        """
        ...
