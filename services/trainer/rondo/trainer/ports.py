"""What the trainer needs from libraries and from outside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from rondo.trainer.hyperparameters import Value
    from rondo.trainer.preparation import Inputs


class FittedTrees(Protocol):
    """A fitted model: its scores for a matrix, and its trees as `trees.read` takes them."""

    def score(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the probability of the positive class for each row of `[rows, features]`."""
        ...

    def dump(self) -> dict[str, Any]:
        """Return the trees as LightGBM describes them."""
        ...


class Fit(Protocol):
    """Fits trees. The same arguments give the same trees."""

    def __call__(
        self, params: Mapping[str, Value], seed: int, matrix: NDArray[np.float32], labels: NDArray[np.float32]
    ) -> FittedTrees:
        """Return trees fitted to `[rows, features]` and labels of 0 and 1; `params` are checked."""
        ...


class Score(Protocol):
    """Runs an ONNX model the way serving does."""

    def __call__(self, model: bytes, inputs: Inputs) -> NDArray[np.float32]:
        """Return the scores, shape `[rows]`. Inputs that the model does not have are left out."""
        ...
