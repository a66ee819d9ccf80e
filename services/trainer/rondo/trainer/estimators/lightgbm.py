"""LightGBM: fit a model, repeatably."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rondo.trainer.estimators import openmp

openmp.provide()

import lightgbm  # noqa: E402 - it needs the library
import numpy as np  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from rondo.contracts.spec.lightgbm_params import Value

# Same rows, same build: same model, whatever the number of threads (LightGBM's documentation of `deterministic`).
REPEATABLE: dict[str, Value] = {"objective": "binary", "deterministic": True, "force_row_wise": True, "verbosity": -1}


class Booster:
    """A fitted model."""

    def __init__(self, booster: lightgbm.Booster) -> None:
        self._booster = booster

    def score(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the probability of the positive class for each row of `[rows, features]`."""
        scores: NDArray[np.float64] = np.asarray(self._booster.predict(matrix), dtype=np.float64)
        return scores

    def dump(self) -> dict[str, Any]:
        """Return the model's trees as LightGBM describes them."""
        described: dict[str, Any] = self._booster.dump_model()
        return described


class Fitter:
    """Fits binary classifiers with at most `threads` threads."""

    def __init__(self, threads: int) -> None:
        self._threads = threads

    def __call__(
        self, params: Mapping[str, Value], seed: int, matrix: NDArray[np.float32], labels: NDArray[np.float32]
    ) -> Booster:
        """Fit `[rows, features]` to labels of 0 and 1; `params` have passed `hyperparameters.checked`."""
        chosen: dict[str, Value] = {name: value for name, value in params.items() if name != "n_estimators"}
        chosen |= REPEATABLE | {"seed": seed, "num_threads": self._threads}
        dataset = lightgbm.Dataset(matrix, labels, params=chosen)
        return Booster(lightgbm.train(chosen, dataset, num_boost_round=int(params["n_estimators"])))
