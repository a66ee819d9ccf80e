"""The common part of the libraries of boosted trees."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from rondo.trainer.errors import TrainingImpossibleError
from rondo.trainer.estimators.base import HyperparameterError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from rondo.contracts.spec.parameters.rules import Library
    from rondo.contracts.spec.policy import Trainer
    from rondo.trainer.estimators.base import Params


class FitFailedError(TrainingImpossibleError):
    """The library can't fit with these hyperparameters, such as with two that exclude each other."""

    code = "fit_failed"

    def __init__(self, library: str, why: str) -> None:
        super().__init__(f"{library} refuses `trainer.params` for these rows ({why}): change what it names")


DEFAULTS: dict[str, Any] = {"n_estimators": 100}


class Boosting:
    """The checks of a `base.Estimator` by the rules of its library. A fit uses at most `threads` threads."""

    library: ClassVar[Library]

    def __init__(self, threads: int) -> None:
        self._threads = threads

    def check_params(self, task: str, trainer: Trainer) -> dict[str, Any]:
        """Check again what `rondo apply` checks: an older spec may have been applied before a rule existed."""
        problems = tuple(f"`{name}` {problem}" for name, problem in self.library.faults(task, trainer.params))
        if problems:
            raise HyperparameterError(problems)
        return DEFAULTS | {self.library.names[name]: value for name, value in trainer.params.items()}

    def check_matrix(self, params: Params, columns: Sequence[str], matrix: NDArray[np.float32]) -> None:
        """Accept missing and infinite values."""
