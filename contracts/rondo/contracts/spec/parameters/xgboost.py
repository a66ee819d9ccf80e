"""The XGBoost parameters that a spec may set, with their names and bounds."""

from __future__ import annotations

from rondo.contracts.spec.parameters.domains import span
from rondo.contracts.spec.parameters.rules import Library, Rule

# Each parameter with its aliases in the native interface and in the scikit-learn interface.
_ALIASES: dict[str, tuple[str, ...]] = {
    "eta": ("learning_rate",),
    "gamma": ("min_split_loss",),
    "lambda": ("reg_lambda",),
    "alpha": ("reg_alpha",),
    "num_boost_round": ("n_estimators", "num_round"),
    "seed": ("random_state",),
    "nthread": ("n_jobs",),
    **dict.fromkeys(
        ("max_depth", "max_leaves", "max_bin", "max_delta_step", "min_child_weight", "grow_policy", "subsample",
         "colsample_bytree", "colsample_bylevel", "colsample_bynode", "num_parallel_tree", "scale_pos_weight",
         "objective", "num_class", "base_score", "booster", "tree_method", "device", "verbosity", "eval_metric",
         "early_stopping_rounds", "enable_categorical", "feature_types", "missing", "multi_strategy",
         "validate_parameters", "callbacks", "disable_default_eval_metric", "feature_weights", "huber_slope",
         "interaction_constraints", "max_cat_threshold", "max_cat_to_onehot", "max_cached_hist_node",
         "monotone_constraints", "normalize_type", "one_drop", "process_type", "quantile_alpha", "rate_drop",
         "refresh_leaf", "sample_type", "sampling_method", "seed_per_iteration", "sketch_eps", "skip_drop",
         "sketch_ratio", "top_k", "feature_selector", "tweedie_variance_power", "updater", "aft_loss_distribution"),
        (),
    ),
}  # fmt: skip
# By the names that the trainer uses for them. The aliases are accepted, too.
_SETTABLE: dict[str, Rule] = {
    "n_estimators": Rule(int, 1, 5_000),
    "learning_rate": Rule(float, 1e-6, 10),
    "max_depth": Rule(int, 0, 1_000),
    "max_leaves": Rule(int, 0, 4_096),
    "grow_policy": Rule(str, words=("depthwise", "lossguide")),
    "min_child_weight": Rule(float),
    "min_split_loss": Rule(float),
    "max_delta_step": Rule(float),
    "subsample": Rule(float, 1e-6, 1),
    "colsample_bytree": Rule(float, 1e-6, 1),
    "colsample_bylevel": Rule(float, 1e-6, 1),
    "colsample_bynode": Rule(float, 1e-6, 1),
    "reg_lambda": Rule(float),
    "reg_alpha": Rule(float),
    "max_bin": Rule(int, 2, 65_535),
    "num_parallel_tree": Rule(int, 1, 1_000),
    "scale_pos_weight": Rule(float, 1e-6),
}
_LABEL = "the label decides it"
_HIST = "a training always has `hist`, on CPUs"
# The parameters that the trainer sets, and what determines them instead.
_DECIDED: dict[str, str] = {
    "objective": _LABEL,
    "num_class": _LABEL,
    "base_score": _LABEL,
    "eval_metric": "the gates have the metrics",
    "seed": "write `trainer.seed`",
    "nthread": "the trainer's `RONDO_WORKER_THREADS` decides it",
    "verbosity": "the trainer logs",
    "booster": "a training always has trees",
    "tree_method": _HIST,
    "device": _HIST,
    "missing": "a missing number is always NaN",
    "enable_categorical": "the `type` of each feature decides it",
}
# Parameters of XGBoost's scikit-learn interface alone.
_SKLEARN: dict[str, str] = {"importance_type": "no importance is computed"}
_SEARCH = {
    "colsample_bytree": span(0.5, 1.0),
    "learning_rate": span(0.01, 0.3, log=True),
    "max_depth": span(2, 10),
    "min_child_weight": span(0.1, 100.0, log=True),
    "n_estimators": span(50, 400, log=True),
    "reg_lambda": span(1e-3, 100.0, log=True),
    "subsample": span(0.5, 1.0),
}
XGBOOST = Library(
    "XGBoost",
    _ALIASES,
    _SETTABLE,
    _DECIDED,
    _SKLEARN,
    of_one_probability=frozenset({"scale_pos_weight"}),
    search=_SEARCH,
    distributions=("xgboost-cpu", "xgboost"),
)
