"""The LightGBM parameters that a spec may set, with their names and bounds."""

from __future__ import annotations

from rondo.contracts.spec.parameters.domains import span
from rondo.contracts.spec.parameters.lightgbm_names import ALIASES
from rondo.contracts.spec.parameters.rules import Library, Rule

# By the names that the trainer uses for them. LightGBM's aliases are accepted, too.
_SETTABLE: dict[str, Rule] = {
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
_DECIDED: dict[str, str] = {
    "objective": _LABEL,
    "num_class": _LABEL,
    "metric": "the gates have the metrics",
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
# Parameters of LightGBM's scikit-learn interface alone.
_SKLEARN: dict[str, str] = {
    "class_weight": "set `scale_pos_weight` or `is_unbalance`",
    "importance_type": "no importance is computed",
}
_SEARCH = {
    "feature_fraction": span(0.5, 1.0),
    "lambda_l2": span(1e-3, 100.0, log=True),
    "learning_rate": span(0.01, 0.3, log=True),
    "min_data_in_leaf": span(5, 500, log=True),
    "n_estimators": span(50, 400, log=True),
    "num_leaves": span(4, 256, log=True),
}
LIGHTGBM = Library(
    "LightGBM",
    ALIASES,
    _SETTABLE,
    _DECIDED,
    _SKLEARN,
    of_one_probability=frozenset({"scale_pos_weight", "is_unbalance"}),
    search=_SEARCH,
    distributions=("lightgbm",),
)
