"""The LightGBM parameters that a spec may set, with their names and bounds. The trainer sets the others."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from rondo.contracts.spec.lightgbm_names import ALIASES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Value: TypeAlias = int | float | str | bool
ANY = float("inf")


class Rule(NamedTuple):
    """The type of a parameter, and its lowest and highest sensible value."""

    kind: type[int | float | bool]
    low: float = 0
    high: float = ANY


# By the trainer's names for them; LightGBM's aliases are accepted, too.
SETTABLE: dict[str, Rule] = {
    "n_estimators": Rule(int, 1, 5_000),
    "num_leaves": Rule(int, 2, 4_096),
    "max_depth": Rule(int, -1, 1_000),
    "learning_rate": Rule(float, 1e-6, 10),
    "min_data_in_leaf": Rule(int, 0, 1_000_000_000),
    "min_sum_hessian_in_leaf": Rule(float),
    "min_gain_to_split": Rule(float),
    "feature_fraction": Rule(float, 1e-6, 1),
    "feature_fraction_bynode": Rule(float, 1e-6, 1),
    "bagging_fraction": Rule(float, 1e-6, 1),
    "bagging_freq": Rule(int, 0, 5_000),
    "lambda_l1": Rule(float),
    "lambda_l2": Rule(float),
    "max_bin": Rule(int, 2, 65_535),
    "path_smooth": Rule(float),
    "scale_pos_weight": Rule(float, 1e-6),
    "extra_trees": Rule(bool, 0, 1),
    "is_unbalance": Rule(bool, 0, 1),
}
_SEED = "write `trainer.seed`"
_REPEATABLE = "a training is always repeatable"
_LABEL = "the label decides it"
# The parameters that the trainer sets, and what determines them instead.
DECIDED: dict[str, str] = {
    "objective": _LABEL,
    "num_class": _LABEL,
    "metric": "the gates compare ROC AUC",
    "seed": _SEED,
    "bagging_seed": _SEED,
    "data_random_seed": _SEED,
    "drop_seed": _SEED,
    "extra_seed": _SEED,
    "feature_fraction_seed": _SEED,
    "objective_seed": _SEED,
    "deterministic": _REPEATABLE,
    "force_row_wise": _REPEATABLE,
    "force_col_wise": _REPEATABLE,
    "num_threads": "the trainer's `RONDO_WORKER_THREADS` decides it",
    "verbosity": "the trainer logs",
    "categorical_feature": "the `type` of each feature decides it",
    "label_column": "write `data.label`",
}
# Of LightGBM's scikit-learn interface alone.
_SKLEARN: dict[str, str] = {
    "class_weight": "set `scale_pos_weight` or `is_unbalance`",
    "importance_type": "no importance is computed",
}
_WORDS: dict[type, str] = {int: "a whole number", float: "a number", bool: "true or false"}


def _by_every_name(names: Mapping[str, object]) -> dict[str, str]:
    """Return the name and the aliases of each parameter, with its name here."""
    own = {name: parameter for parameter, others in ALIASES.items() for name in (parameter, *others)}
    return {alias: name for name in names for alias in (own[name], *ALIASES[own[name]])}


NAMES = _by_every_name(SETTABLE)
_DECIDED = _by_every_name(DECIDED)
_ALL = {name for parameter, others in ALIASES.items() for name in (parameter, *others)}


def faults(params: Mapping[str, Value]) -> Iterator[tuple[str, str]]:
    """Yield each parameter that can't be used, and what is wrong with it, to be read after its name."""
    seen: dict[str, str] = {}
    for name, value in params.items():
        if name not in NAMES:
            yield name, _unusable(name)
        elif (first := seen.setdefault(NAMES[name], name)) != name:
            yield name, f"is the same parameter as `{first}`: keep one of the two"
        elif problem := _unfit(value, SETTABLE[NAMES[name]]):
            yield name, problem


def _unusable(name: str) -> str:
    if name in _DECIDED:
        return f"is set by the trainer: {DECIDED[_DECIDED[name]]}"
    if name in _SKLEARN:
        return f"is not a parameter of a training here: {_SKLEARN[name]}"
    known = f"those that can be set are {', '.join(SETTABLE)}"
    if name in _ALL:
        return f"is a LightGBM parameter that can't be set here; {known}"
    close = get_close_matches(name, SETTABLE, n=1) or get_close_matches(name, NAMES, n=1)
    return f"is not a LightGBM parameter{f': did you mean `{close[0]}`?' if close else f'; {known}'}"


def _unfit(value: Value, rule: Rule) -> str | None:
    if not _is_of(rule.kind, value):
        return f"is {value!r}, and must be {_WORDS[rule.kind]}"
    if not rule.low <= float(value) <= rule.high:
        bounds = f"{rule.low:g} or more" if rule.high == ANY else f"from {rule.low:g} to {rule.high:g}"
        return f"is {value}, and must be {bounds}"
    return None


def _is_of(kind: type, value: Value) -> bool:
    if kind is bool or isinstance(value, bool):
        return kind is bool and isinstance(value, bool)
    return isinstance(value, int if kind is int else (int, float))
