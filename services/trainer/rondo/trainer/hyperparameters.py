"""Which of LightGBM's parameters a spec may set, and to what."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

Value: TypeAlias = int | float | str | bool

DEFAULTS: dict[str, Value] = {"n_estimators": 100}
# The name, its type, and the lowest and highest value that make sense.
KNOWN: dict[str, tuple[type, float, float]] = {
    "n_estimators": (int, 1, 5_000),
    "num_leaves": (int, 2, 4_096),
    "max_depth": (int, -1, 1_000),
    "learning_rate": (float, 1e-6, 10),
    "min_data_in_leaf": (int, 0, 1_000_000_000),
    "min_sum_hessian_in_leaf": (float, 0, float("inf")),
    "min_gain_to_split": (float, 0, float("inf")),
    "feature_fraction": (float, 1e-6, 1),
    "feature_fraction_bynode": (float, 1e-6, 1),
    "bagging_fraction": (float, 1e-6, 1),
    "bagging_freq": (int, 0, 5_000),
    "lambda_l1": (float, 0, float("inf")),
    "lambda_l2": (float, 0, float("inf")),
    "max_bin": (int, 2, 65_535),
    "path_smooth": (float, 0, float("inf")),
    "scale_pos_weight": (float, 1e-6, float("inf")),
    "extra_trees": (bool, 0, 1),
    "is_unbalance": (bool, 0, 1),
}
# What Rondo decides, and where it is decided instead.
DECIDED = {
    "objective": "the label decides it",
    "seed": "set `trainer.seed`",
    "deterministic": "a training is always repeatable",
    "num_threads": "the trainer's settings decide it",
    "verbose": "the trainer logs",
}


class HyperparameterError(ValueError):
    """Parameters of the spec can't be used; `problems` holds a sentence for each."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        self.problems = problems
        super().__init__("`trainer.params` can't be used: " + "; ".join(problems))


def checked(params: Mapping[str, Value]) -> dict[str, Value]:
    """Return the parameters with the defaults added.

    Raises:
        HyperparameterError: with everything that is wrong: an unknown name, a wrong type, a value out of range.

    """
    problems = tuple(problem for name, value in params.items() if (problem := _problem(name, value)))
    if problems:
        raise HyperparameterError(problems)
    return DEFAULTS | dict(params)


def _problem(name: str, value: Value) -> str | None:
    if name in DECIDED:
        return f"{name} is not yours to set: {DECIDED[name]}"
    if name not in KNOWN:
        close = get_close_matches(name, KNOWN, n=1)
        return f"{name} is not known" + (f": did you mean {close[0]}?" if close else f"; known are {', '.join(KNOWN)}")
    kind, low, high = KNOWN[name]
    fits = isinstance(value, bool) if kind is bool else _is_number(value, kind)
    if not fits:
        return f"{name} is {value!r}, and must be a{'n' if kind is int else ''} {kind.__name__}"
    if not low <= float(value) <= high:
        return f"{name} is {value}, and must be from {low:g} to {high:g}"
    return None


def _is_number(value: Value, kind: type) -> bool:
    return not isinstance(value, bool) and isinstance(value, int if kind is int else (int, float))
