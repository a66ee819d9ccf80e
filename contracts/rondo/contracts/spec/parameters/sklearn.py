"""The steps of `trainer.kind: sklearn`: the classes of scikit-learn that a spec may use, and their parameters.

A class is listed if the ONNX graph of its fitted objects agrees with them on every float32 row. A test fits each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from rondo.contracts.spec.parameters.rules import ANY, Rule

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

StepRole = Literal["transformer", "classifier", "regressor"]
# `fills`: the step replaces a missing value. `keeps`: the step passes a missing value on, or the estimator accepts it.
Missing = Literal["fills", "keeps", "refuses"]
Rules: TypeAlias = "Mapping[str, tuple[Rule, ...]]"


class Use(NamedTuple):
    """The role of a class, its treatment of a missing value, and its parameters, each with the rules for its values."""

    role: StepRole
    missing: Missing
    params: Rules


def _words(*words: str) -> tuple[Rule, ...]:
    return (Rule(str, words=words),)


_FLAG = (Rule(bool, 0, 1),)
_POSITIVE, _SHARE, _ABOVE_0 = (Rule(float),), (Rule(float, 0, 1),), (Rule(float, 1e-12),)
_BELOW_1 = (Rule(float, 1e-6, 1 - 1e-6),)
_COUNT, _ITERATIONS = (Rule(int, 1, 100_000),), (Rule(int, 1, 100_000),)
_BALANCED = _words("balanced")
_INTERCEPT: Rules = {"fit_intercept": _FLAG}
_SOLVED: Rules = {"max_iter": _ITERATIONS, "tol": _ABOVE_0}
_STOPPING: Rules = {"early_stopping": _FLAG, "validation_fraction": _BELOW_1, "n_iter_no_change": _ITERATIONS}

_TREE: Rules = {
    "max_depth": (Rule(int, 1, 1_000),),
    "max_features": (Rule(int, 1, 100_000), Rule(float, 1e-6, 1), *_words("sqrt", "log2")),
    "max_leaf_nodes": (Rule(int, 2, 1_000_000),),
    "min_samples_leaf": (Rule(int, 1, 1_000_000_000), Rule(float, 1e-9, 0.5)),
    "min_samples_split": (Rule(int, 2, 1_000_000_000), Rule(float, 1e-9, 1)),
    "min_impurity_decrease": _POSITIVE,
    "min_weight_fraction_leaf": (Rule(float, 0, 0.5),),
    "ccp_alpha": _POSITIVE,
}
_TREES: Rules = {"n_estimators": (Rule(int, 1, 5_000),)}
_OF_CLASSES: Rules = {"criterion": _words("gini", "entropy", "log_loss"), "class_weight": _BALANCED}
_OF_NUMBERS: Rules = {"criterion": _words("squared_error", "poisson")}
_SPLITTER: Rules = {"splitter": _words("best", "random")}
_FOREST: Rules = {
    **_TREES, **_TREE, "bootstrap": _FLAG, "max_samples": (Rule(int, 1, 1_000_000_000), Rule(float, 1e-6, 1)),
}  # fmt: skip
_FOREST_OF_CLASSES: Rules = {
    **_FOREST, **_OF_CLASSES, "class_weight": _words("balanced", "balanced_subsample"),
}  # fmt: skip
_BOOSTING: Rules = {
    **_TREES,
    **_TREE,
    "learning_rate": (Rule(float, 1e-6, 10),),
    "subsample": (Rule(float, 1e-6, 1),),
    "n_iter_no_change": _ITERATIONS,
    "validation_fraction": _BELOW_1,
    "tol": _POSITIVE,
}
_SGD: Rules = {
    **_INTERCEPT,
    **_SOLVED,
    **_STOPPING,
    "penalty": _words("l1", "l2", "elasticnet"),
    "alpha": _POSITIVE,
    "l1_ratio": _SHARE,
    "learning_rate": _words("constant", "optimal", "invscaling", "adaptive"),
    "eta0": _ABOVE_0,
    "power_t": (Rule(float, -10, 10),),
    "average": _FLAG,
    "shuffle": _FLAG,
}
_MLP: Rules = {
    **_SOLVED,
    **_STOPPING,
    "hidden_layer_sizes": (Rule(int, 1, 4_096), Rule(int, 1, 4_096, items=True)),
    "activation": _words("identity", "logistic", "tanh", "relu"),
    "solver": _words("adam", "sgd", "lbfgs"),
    "alpha": _POSITIVE,
    "batch_size": (Rule(int, 1, 1_000_000), *_words("auto")),
    "learning_rate": _words("constant", "invscaling", "adaptive"),
    "learning_rate_init": _ABOVE_0,
    "momentum": _SHARE,
    "nesterovs_momentum": _FLAG,
    "power_t": _POSITIVE,
    "shuffle": _FLAG,
}
_DESCENT: Rules = {
    **_INTERCEPT, **_SOLVED, "alpha": _POSITIVE, "positive": _FLAG, "selection": _words("cyclic", "random"),
}  # fmt: skip
_GLM: Rules = {**_INTERCEPT, **_SOLVED, "alpha": _POSITIVE, "solver": _words("lbfgs", "newton-cholesky")}


def _under(module: str, role: StepRole, missing: Missing, classes: Mapping[str, Rules]) -> dict[str, Use]:
    return {f"sklearn.{module}.{name}": Use(role, missing, params) for name, params in classes.items()}


USES: dict[str, Use] = {
    **_under("impute", "transformer", "fills", {
        "SimpleImputer": {
            "strategy": _words("mean", "median", "most_frequent", "constant"),
            "fill_value": (Rule(float, -ANY),),
        },
    }),
    **_under("preprocessing", "transformer", "keeps", {
        "StandardScaler": {"with_mean": _FLAG, "with_std": _FLAG},
        "MinMaxScaler": {"feature_range": (Rule(float, -1e6, 1e6, items=True, length=2),), "clip": _FLAG},
        "MaxAbsScaler": {},
        "RobustScaler": {
            "with_centering": _FLAG, "with_scaling": _FLAG, "unit_variance": _FLAG,
            "quantile_range": (Rule(float, 0, 100, items=True, length=2),),
        },
    }),
    **_under("preprocessing", "transformer", "refuses", {
        "PolynomialFeatures": {"degree": (Rule(int, 1, 3),), "interaction_only": _FLAG},
    }),
    **_under("decomposition", "transformer", "refuses", {
        "PCA": {
            "n_components": (Rule(int, 1, 100_000), Rule(float, 1e-6, 1 - 1e-6), *_words("mle")),
            "whiten": _FLAG,
            "svd_solver": _words("auto", "full", "covariance_eigh", "randomized"),
        },
        "TruncatedSVD": {"n_components": _COUNT, "n_iter": _COUNT, "algorithm": _words("randomized", "arpack")},
    }),
    **_under("feature_selection", "transformer", "refuses", {
        "SelectKBest": {"k": (Rule(int, 1, 100_000), *_words("all"))},
        "SelectPercentile": {"percentile": (Rule(float, 0, 100),)},
    }),
    **_under("feature_selection", "transformer", "keeps", {"VarianceThreshold": {"threshold": _POSITIVE}}),
    **_under("linear_model", "classifier", "refuses", {
        "LogisticRegression": {
            **_INTERCEPT, **_SOLVED, "C": _ABOVE_0, "l1_ratio": _SHARE, "class_weight": _BALANCED,
            "solver": _words("lbfgs", "newton-cg", "newton-cholesky", "sag", "saga"),
        },
        "SGDClassifier": {**_SGD, "loss": _words("log_loss", "modified_huber"), "class_weight": _BALANCED},
    }),
    **_under("neural_network", "classifier", "refuses", {"MLPClassifier": _MLP}),
    **_under("tree", "classifier", "keeps", {
        "DecisionTreeClassifier": {**_TREE, **_OF_CLASSES, **_SPLITTER},
        "ExtraTreeClassifier": {**_TREE, **_OF_CLASSES, **_SPLITTER},
    }),
    **_under("ensemble", "classifier", "keeps", {
        "RandomForestClassifier": _FOREST_OF_CLASSES,
        "ExtraTreesClassifier": _FOREST_OF_CLASSES,
    }),
    **_under("ensemble", "classifier", "refuses", {"GradientBoostingClassifier": _BOOSTING}),
    **_under("linear_model", "regressor", "refuses", {
        "LinearRegression": {**_INTERCEPT, "positive": _FLAG},
        "Ridge": {
            **_INTERCEPT, **_SOLVED, "alpha": _POSITIVE, "positive": _FLAG,
            "solver": _words("auto", "svd", "cholesky", "lsqr", "sparse_cg", "sag", "saga", "lbfgs"),
        },
        "Lasso": _DESCENT,
        "ElasticNet": {**_DESCENT, "l1_ratio": _SHARE},
        "BayesianRidge": {
            **_INTERCEPT, **_SOLVED,
            **dict.fromkeys(("alpha_1", "alpha_2", "lambda_1", "lambda_2", "alpha_init", "lambda_init"), _POSITIVE),
        },
        "HuberRegressor": {**_INTERCEPT, **_SOLVED, "alpha": _POSITIVE, "epsilon": (Rule(float, 1, 1e6),)},
        "SGDRegressor": {
            **_SGD, "epsilon": _POSITIVE,
            "loss": _words("squared_error", "huber", "epsilon_insensitive", "squared_epsilon_insensitive"),
        },
        "PoissonRegressor": _GLM,
        "GammaRegressor": _GLM,
        "TweedieRegressor": {**_GLM, "power": (Rule(float, 0, 3),), "link": _words("auto", "identity", "log")},
    }),
    **_under("svm", "regressor", "refuses", {
        "LinearSVR": {
            **_INTERCEPT, **_SOLVED, "C": _ABOVE_0, "epsilon": _POSITIVE,
            "loss": _words("epsilon_insensitive", "squared_epsilon_insensitive"),
        },
    }),
    **_under("neural_network", "regressor", "refuses", {
        "MLPRegressor": {**_MLP, "loss": _words("squared_error", "poisson")},
    }),
    **_under("tree", "regressor", "keeps", {
        "DecisionTreeRegressor": {**_TREE, **_OF_NUMBERS, **_SPLITTER},
        "ExtraTreeRegressor": {**_TREE, **_OF_NUMBERS, **_SPLITTER},
    }),
    **_under("ensemble", "regressor", "keeps", {
        "RandomForestRegressor": {**_FOREST, **_OF_NUMBERS},
        "ExtraTreesRegressor": {**_FOREST, **_OF_NUMBERS},
    }),
    **_under("ensemble", "regressor", "refuses", {
        "GradientBoostingRegressor": {
            **_BOOSTING, "loss": _words("squared_error", "absolute_error", "huber", "quantile"), "alpha": _BELOW_1,
        },
    }),
}  # fmt: skip

_SEED, _FROM_SCRATCH = "write `trainer.seed`", "a training always starts from scratch"
_COPY = "it changes no prediction"
# Parameters that the trainer sets in every class that has them, each with the part of the spec that determines it.
DECIDED: dict[str, str] = {
    "random_state": _SEED,
    "n_jobs": "the trainer's `RONDO_WORKER_THREADS` decides it",
    "verbose": "the trainer logs",
    "warm_start": _FROM_SCRATCH,
    "copy": _COPY,
    "copy_X": _COPY,
    "score_func": "the task decides it: the F value of a class or of a regression",
    "include_bias": "the estimators have an intercept of their own",
    "missing_values": "a missing number is always NaN",
    "keep_empty_features": "a feature without a value is always kept",
}

_NO_PROBABILITIES = "has no probabilities: use sklearn.linear_model.LogisticRegression"
_FLOAT32 = "can't be converted exactly by skl2onnx 1.20"
_ENCODED = "is for categories, which are numbers before the steps begin: leave it out"
_FLAT = "combines other steps, and `trainer.steps` is a plain list: write the steps one after the other"
_NEIGHBOURS = "has ties between neighbours that its ONNX graph decides otherwise: use a forest"
_KERNEL = "can't be converted exactly by skl2onnx 1.20, nor fitted to many rows: use"
# Classes that a user may expect, by their names alone, each with the reason why it is not listed.
NOT_HERE: dict[str, str] = {
    **dict.fromkeys(
        ("HistGradientBoostingClassifier", "HistGradientBoostingRegressor"),
        "can't be converted by skl2onnx 1.20: use `kind: lightgbm` without steps, whose method is the same",
    ),
    **dict.fromkeys(("AdaBoostClassifier", "AdaBoostRegressor"), f"{_FLOAT32}: use GradientBoosting of its module"),
    **dict.fromkeys(("KNeighborsClassifier", "KNeighborsRegressor"), _NEIGHBOURS),
    **dict.fromkeys(("SVC", "NuSVC"), f"{_KERNEL} sklearn.neural_network.MLPClassifier"),
    **dict.fromkeys(("SVR", "NuSVR"), f"{_KERNEL} sklearn.svm.LinearSVR"),
    **dict.fromkeys(("LinearSVC", "RidgeClassifier", "Perceptron"), _NO_PROBABILITIES),
    "GaussianNB": "has likelihoods of constant features whose roundings its ONNX graph does not share: use"
    " sklearn.linear_model.LogisticRegression",
    "LinearDiscriminantAnalysis": f"{_FLOAT32}: use sklearn.linear_model.LogisticRegression",
    **dict.fromkeys(
        ("QuantileTransformer", "PowerTransformer", "Normalizer", "KBinsDiscretizer", "Binarizer"),
        f"{_FLOAT32}: use sklearn.preprocessing.RobustScaler, or trees, which need no scale",
    ),
    **dict.fromkeys(("OneHotEncoder", "OrdinalEncoder", "TargetEncoder", "LabelEncoder"), _ENCODED),
    **dict.fromkeys(("Pipeline", "FeatureUnion", "ColumnTransformer", "VotingClassifier", "StackingClassifier"), _FLAT),
}


def takes_missing(uses: Iterable[str]) -> bool:
    """Return whether these steps accept rows with missing values. All of them must be in `USES`."""
    for use in uses:
        missing = USES[use].missing
        if missing != "keeps":
            return missing == "fills"
    return True
