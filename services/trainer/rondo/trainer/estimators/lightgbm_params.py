"""LightGBM's parameters as a training gets them: each by one name, the defaults added."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rondo.contracts.spec import lightgbm_params

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rondo.contracts.spec.lightgbm_params import Value

DEFAULTS: dict[str, Value] = {"n_estimators": 100}


class HyperparameterError(ValueError):
    """Parameters of the spec can't be used; `problems` holds a sentence for each."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        self.problems = problems
        super().__init__("`trainer.params` can't be used: " + "; ".join(problems))


def checked(params: Mapping[str, Value]) -> dict[str, Value]:
    """Return the parameters by the names of `lightgbm_params.SETTABLE`, with the defaults added.

    `rondo apply` refuses what can't be used; a spec that was applied before that rule comes here with it.

    Raises:
        HyperparameterError: with everything that is wrong: an unknown name, a wrong type, a value out of range.

    """
    problems = tuple(f"`{name}` {problem}" for name, problem in lightgbm_params.faults(params))
    if problems:
        raise HyperparameterError(problems)
    return DEFAULTS | {lightgbm_params.NAMES[name]: value for name, value in params.items()}
