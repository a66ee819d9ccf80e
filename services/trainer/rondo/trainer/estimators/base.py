"""The protocol of an estimator. A new library is one file here that implements it, and its line in `worker/app.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeAlias

from rondo.trainer.errors import TrainingImpossibleError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    import onnx
    from numpy.typing import NDArray

Value: TypeAlias = int | float | str | bool


class HyperparameterError(TrainingImpossibleError):
    """Parameters of the spec can't be used. `problems` has a sentence for each."""

    code = "hyperparameters"

    def __init__(self, problems: tuple[str, ...]) -> None:
        self.problems = problems
        super().__init__("`trainer.params` can't be used: " + "; ".join(problems))


class FittedModel(Protocol):
    """A fitted binary classifier."""

    def predict(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the probability of the positive class for each row of `[rows, features]`."""
        ...

    def onnx_nodes(self, matrix: str, score: str) -> Sequence[onnx.NodeProto]:
        """Return the nodes that compute the tensor `score`, float32 `[N, 1]`, from `matrix`, float32 `[N, features]`.

        The types of all attributes are explicit. Names of tensors in between contain a dot, which no feature's does.

        Raises:
            UnsupportedSplitError: the model has a part that ONNX can't express.

        """
        ...


class Estimator(Protocol):
    """A library that fits binary classifiers. The same arguments give the same model, whatever the threads."""

    def check_params(self, params: Mapping[str, Value]) -> dict[str, Value]:
        """Return the parameters by the library's own names, with defaults added.

        Raises:
            HyperparameterError: an unknown name, a wrong type, a value out of range; with all problems at once.

        """
        ...

    def fit(
        self, params: Mapping[str, Value], seed: int, matrix: NDArray[np.float32], labels: NDArray[np.float32]
    ) -> FittedModel:
        """Fit `[rows, features]` to labels of 0 and 1. `params` are what `check_params` returned."""
        ...
