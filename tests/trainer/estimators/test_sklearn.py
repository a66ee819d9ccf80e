"""The graph of every class agrees with scikit-learn on every row. Unsupported rows are refused with advice."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from rondo.contracts.spec.parameters.rules import ANY, Rule
from rondo.contracts.spec.parameters.sklearn import DECIDED, NOT_HERE, USES
from rondo.contracts.spec.policy import Trainer
from rondo.trainer.estimators import sklearn, sklearn_steps
from rondo.trainer.estimators.base import OPSET, HyperparameterError, Target
from rondo.trainer.estimators.sklearn import Sklearn, SklearnModel, StepsFailedError
from rondo.trainer.estimators.sklearn_matrix import InfiniteValuesError, MissingValuesError
from rondo.trainer.preparation import dates
from threadpoolctl import ThreadpoolController

from tests.trainer.estimators.graphs import difference, graph, predict

Matrix = NDArray[np.float32]
LARGEST = float(np.finfo(np.float32).max)
EDGES = np.array([np.nan, np.inf, -np.inf, LARGEST, -LARGEST, 1e-45, 0.0, -0.0, 1.0, -1.0], np.float32)
TARGETS = {
    "binary": Target("probability", 2),
    "multiclass": Target("probabilities", 3),
    "two classes": Target("probabilities", 2),
    "regression": Target("number", 0),
}
TASKS = {
    "classifier": ("binary", "multiclass", "two classes"),
    "regressor": ("regression",),
    "transformer": ("binary", "regression"),
}
# The tasks of a spec, where a key of `TARGETS` is none.
SPEC_TASKS = {"two classes": "multiclass"}
IMPUTER = {"use": "sklearn.impute.SimpleImputer"}
SCALER = {"use": "sklearn.preprocessing.StandardScaler"}
LOGISTIC = {"use": "sklearn.linear_model.LogisticRegression"}
FOREST = {"use": "sklearn.ensemble.RandomForestClassifier", "params": {"n_estimators": 5}}
LAST = {"binary": LOGISTIC, "regression": {"use": "sklearn.linear_model.Ridge"}}
# Fewer turns than by default, and probabilities.
SHORT = {"n_estimators": 5, "max_iter": 30}


def rows(task: str, count: int = 150, *, missing: bool = False) -> tuple[Matrix, Matrix]:
    """Return rows with columns of several scales, of few values, of one value, and one that nearly repeats another."""
    rng = np.random.default_rng(5)
    matrix = rng.normal(size=(count, 5)).astype(np.float32)
    matrix[:, 1] *= 1e4
    matrix[:, 2] = rng.integers(0, 4, count)
    matrix[:, 3] = 7
    matrix[:, 4] += 2 * matrix[:, 1]
    value = matrix[:, 0] + matrix[:, 2] / 2 + rng.normal(size=count) / 2
    labels = {
        "binary": value > 0.7,
        "multiclass": np.digitize(value, [0, 1.5]),
        "two classes": value > 0.7,
        "regression": np.abs(value) * 100 + 1,
    }
    if missing:
        matrix[rng.random(matrix.shape) < 0.1] = np.nan
    return matrix, labels[task].astype(np.float32)


def edge_rows(matrix: Matrix) -> Matrix:
    """Return the rows, rows in which one column has an edge value, and rows in which all columns have edge values."""
    one = np.repeat(matrix[: len(EDGES)], matrix.shape[1], axis=0)
    for column in range(matrix.shape[1]):
        one[column :: matrix.shape[1], column] = EDGES
    mixed = np.stack([np.roll(np.tile(EDGES, 10), 3 * shift) for shift in range(matrix.shape[1])], axis=1)
    return np.concatenate([matrix, one, mixed, np.tile(EDGES[:, None], matrix.shape[1])])


def fit(task: str, steps: list[dict[str, Any]], matrix: Matrix, labels: Matrix, threads: int = 1) -> SklearnModel:
    estimator = Sklearn(threads)
    params = estimator.check_params(SPEC_TASKS.get(task, task), Trainer(kind="sklearn", steps=steps))  # type: ignore[arg-type] # as YAML has them
    return estimator.fit(TARGETS[task], params, 7, matrix, labels)


CASES = [(use, task) for use, declared in USES.items() for task in TASKS[declared.role]]


@pytest.mark.medium
@pytest.mark.sampled(4)
@pytest.mark.parametrize(("use", "task"), CASES)
def test_the_graph_of_each_class_agrees_with_it_at_every_edge(use: str, task: str) -> None:
    params = {name: value for name, value in SHORT.items() if name in USES[use].params}
    if use == "sklearn.linear_model.SGDClassifier":
        params["loss"] = "log_loss"  # type: ignore[assignment]
    step = {"use": use, "params": params}
    missing = USES[use].missing == "fills" or (USES[use].role != "transformer" and USES[use].missing == "keeps")
    matrix, labels = rows(task, missing=missing)
    steps = [step, SCALER, LAST[task]] if USES[use].role == "transformer" else [SCALER, step]
    model = fit(task, steps, matrix, labels)
    found = edge_rows(matrix)
    # Dates need newer operators, of which some have other attributes.
    assert max(difference(model, TARGETS[task], found, opset) for opset in (OPSET, dates.OPSET)) < 1e-6
    refused = np.isinf(found).any(axis=1) | (np.isnan(found).any(axis=1) & (not missing))
    assert not np.isnan(model.predict(found[~refused])).any()
    assert np.isnan(model.predict(found[refused])).all()


def test_a_boosted_model_of_two_classes_has_one_column_of_trees_and_two_probabilities() -> None:
    matrix, labels = rows("two classes")
    step = {"use": "sklearn.ensemble.GradientBoostingClassifier", "params": {"n_estimators": 5}}
    model = fit("two classes", [step], matrix, labels)
    assert model.predict(matrix).shape == (len(matrix), 2)
    assert difference(model, TARGETS["two classes"], edge_rows(matrix)) < 1e-6


@pytest.mark.medium
@pytest.mark.parametrize(
    "steps",
    [
        [IMPUTER, LOGISTIC],
        [{**IMPUTER, "params": {"strategy": "median"}}, SCALER, FOREST],
        [{**IMPUTER, "params": {"strategy": "constant", "fill_value": -1}}, LOGISTIC],
        [SCALER, IMPUTER, LOGISTIC],
        [FOREST],
        [{"use": "sklearn.feature_selection.VarianceThreshold"}, FOREST],
    ],
    ids=["mean", "median", "constant", "after a scaler", "trees alone", "trees after a selection"],
)
def test_missing_values_are_filled_in_or_known_to_trees(steps: list[dict[str, Any]]) -> None:
    matrix, labels = rows("binary", missing=True)
    matrix[:, 3] = np.nan
    model = fit("binary", steps, matrix, labels)
    assert difference(model, TARGETS["binary"], edge_rows(matrix)) < 1e-6
    assert np.isfinite(model.predict(matrix)).all()


@pytest.mark.medium
@pytest.mark.parametrize("params", [{"degree": 1}, {"degree": 3}, {"degree": 3, "interaction_only": True}])
def test_polynomials_of_each_degree_are_converted(params: dict[str, Any]) -> None:
    matrix, labels = rows("regression")
    step = {"use": "sklearn.preprocessing.PolynomialFeatures", "params": params}
    model = fit("regression", [SCALER, step, LAST["regression"]], matrix, labels)
    assert difference(model, TARGETS["regression"], matrix) < 1e-6


@pytest.mark.medium
@pytest.mark.parametrize("decomposition", ["PCA", "TruncatedSVD"])
def test_components_that_are_roundings_are_dropped(decomposition: str) -> None:
    """A scaler would make them as large as the others."""
    matrix, labels = rows("binary")
    matrix = np.column_stack([matrix, matrix[:, 0] * 2, matrix[:, 2]])
    step = {"use": f"sklearn.decomposition.{decomposition}", "params": {"n_components": 6}}
    model = fit("binary", [step, SCALER, LOGISTIC], matrix, labels)
    assert model._steps[0].transform(matrix).shape[1] < 6
    assert difference(model, TARGETS["binary"], matrix) < 1e-6


def test_a_selection_of_the_first_column_alone_is_converted() -> None:
    matrix, _labels = rows("binary")
    step = {"use": "sklearn.feature_selection.SelectKBest", "params": {"k": 1}}
    model = fit("binary", [step, LOGISTIC], matrix, matrix[:, 0] > 0)
    assert model._steps[0].get_support().tolist() == [True, False, False, False, False]
    assert difference(model, TARGETS["binary"], matrix) < 1e-6


def test_thresholds_are_compared_as_the_model_does_at_and_next_to_them() -> None:
    matrix, labels = rows("binary")
    tree = {"use": "sklearn.tree.DecisionTreeClassifier"}
    model = fit("binary", [tree], matrix, labels)
    thresholds = model._steps[0].tree_.threshold.astype(np.float32)
    near = np.concatenate([np.nextafter(thresholds, np.float32(side)) for side in (-np.inf, np.inf)] + [thresholds])
    assert difference(model, TARGETS["binary"], np.stack([near] * 5, axis=1)) == 0


def test_names_of_tensors_can_be_no_features() -> None:
    matrix, labels = rows("binary")
    model = fit("binary", [IMPUTER, SCALER, {"use": "sklearn.decomposition.PCA"}, LOGISTIC], matrix, labels)
    nodes = model.onnx_nodes("features.matrix", "features.raw")
    names = [name for node in nodes for name in node.output]
    assert all("." in name for name in names)
    assert len(names) == len(set(names))


@pytest.mark.medium
def test_the_same_rows_give_the_same_graph_whatever_the_threads() -> None:
    matrix, labels = rows("binary")
    steps = [SCALER, {"use": "sklearn.neural_network.MLPClassifier", "params": {"max_iter": 20}}]
    for chosen in (steps, [FOREST]):
        models = [fit("binary", chosen, matrix, labels, threads) for threads in (1, 1, 2)]
        assert len({graph(model, TARGETS["binary"], 5) for model in models}) == 1


def test_every_blas_library_is_limited_to_one_thread() -> None:
    for use in USES:
        sklearn_steps._class(use)
    with sklearn._quietly():
        threads = [each["num_threads"] for each in ThreadpoolController().info() if each["user_api"] == "blas"]
    assert set(threads) == {1}


@pytest.mark.medium
def test_the_probability_of_a_forest_is_at_most_1() -> None:
    matrix, _labels = rows("binary")
    forest = {"use": "sklearn.ensemble.RandomForestClassifier", "params": {"n_estimators": 300, "max_depth": 2}}
    model = fit("binary", [forest], matrix, (matrix[:, 0] > 0).astype(np.float32))
    found = predict(graph(model, TARGETS["binary"], 5), matrix)
    assert (found.min() >= 0) & (found.max() <= 1)


def test_missing_values_without_an_imputer_are_refused_by_their_columns() -> None:
    matrix, _ = rows("binary", missing=True)
    matrix[:, (0, 3)] = 1
    estimator = Sklearn(1)
    params = estimator.check_params("binary", Trainer(kind="sklearn", steps=[SCALER, LOGISTIC]))  # type: ignore[arg-type]
    with pytest.raises(MissingValuesError) as refusal:
        estimator.check_matrix(params, ["a", "b", "c", "d", "e"], matrix)
    assert refusal.value.columns == ["b", "c", "e"]
    assert "has missing values, and" in str(refusal.value)
    assert "takes none: add an imputer as the first step" in str(refusal.value)


def test_infinite_values_are_refused_by_their_columns() -> None:
    matrix, _ = rows("binary")
    matrix[3, 1] = -np.inf
    estimator = Sklearn(1)
    params = estimator.check_params("binary", Trainer(kind="sklearn", steps=[FOREST]))  # type: ignore[arg-type]
    with pytest.raises(InfiniteValuesError) as refusal:
        estimator.check_matrix(params, ["a", "b", "c", "d", "e"], matrix)
    assert refusal.value.columns == ["b"]
    assert "has infinite values, which scikit-learn does not take" in str(refusal.value)


@pytest.mark.parametrize(
    "steps",
    [
        [{**LOGISTIC, "params": {"solver": "lbfgs", "l1_ratio": 0.5}}],
        [{"use": "sklearn.feature_selection.VarianceThreshold", "params": {"threshold": 1e12}}, LOGISTIC],
    ],
    ids=["parameters that exclude each other", "no column is left"],
)
def test_what_scikit_learn_refuses_fails_with_its_reason(steps: list[dict[str, Any]]) -> None:
    with pytest.raises(StepsFailedError) as refusal:
        fit("binary", steps, *rows("binary"))
    assert "scikit-learn can't fit `trainer.steps` to these rows (" in str(refusal.value)
    assert "): change what it names" in str(refusal.value)


def test_a_solver_that_finds_nothing_fails_with_its_reason() -> None:
    """ARPACK raises a separate error for columns that do not vary."""
    steps = [{"use": "sklearn.decomposition.TruncatedSVD", "params": {"algorithm": "arpack"}}, LOGISTIC]
    matrix, labels = rows("binary")
    with pytest.raises(StepsFailedError) as refusal:
        fit("binary", steps, np.zeros_like(matrix), labels)
    assert "ARPACK" in str(refusal.value)


def test_a_warning_of_scikit_learn_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        fit("binary", [{**LOGISTIC, "params": {"max_iter": 1}}], *rows("binary"))
    assert [(record.levelname, "lbfgs" in record.message) for record in caplog.records] == [("WARNING", True)]


@pytest.mark.parametrize(
    "steps",
    [
        [],
        [{"use": "os.system"}],
        [{"use": "sklearn.linear_model"}],
        [SCALER],
        [{**LOGISTIC, "params": {"C": 0}}],
        [{**LOGISTIC, "params": {"C": True}}],
        [{**LOGISTIC, "params": {"random_state": 1}}],
        [{**LOGISTIC, "params": {"set_params": 1}}],
    ],
)
def test_a_stored_spec_with_steps_that_can_t_be_used_fails(steps: list[dict[str, Any]]) -> None:
    trainer = Trainer(kind="sklearn", steps=steps)  # type: ignore[arg-type]
    with pytest.raises(HyperparameterError):
        Sklearn(1).check_params("binary", trainer)


def test_only_classes_of_the_list_are_imported() -> None:
    step = Trainer.model_validate({"steps": [{"use": "antigravity.fly"}]}).steps
    with pytest.raises(HyperparameterError):
        sklearn_steps.build("binary", step, 7, 1)


def values(rule: Rule) -> list[Any]:
    """Return the allowed words of a rule, or its least and greatest values."""
    if rule.words:
        return list(rule.words)
    least, most = (rule.kind(limit) for limit in (max(rule.low, -1e9), 1e9 if rule.high == ANY else rule.high))
    return [[each] * (rule.length or 1) for each in (least, most)] if rule.items else [least, most]


@pytest.mark.parametrize("use", USES)
def test_scikit_learn_accepts_what_a_spec_may_set(use: str) -> None:
    for name, rules in USES[use].params.items():
        for value in (value for rule in rules for value in values(rule)):
            written = tuple(value) if isinstance(value, list) else value
            made = sklearn_steps._class(use)().set_params(**{name: written})
            assert sklearn_steps._constraint(made) is None, (name, value)


@pytest.mark.parametrize("use", USES)
def test_each_parameter_is_settable_or_decided_but_not_both(use: str) -> None:
    known = set(sklearn_steps._class(use)().get_params())
    assert set(USES[use].params) <= known
    assert not set(USES[use].params) & set(DECIDED)


@pytest.mark.parametrize("use", USES)
def test_the_list_says_of_missing_values_what_scikit_learn_does(use: str) -> None:
    takes = sklearn_steps._class(use)().__sklearn_tags__().input_tags.allow_nan
    assert takes == (USES[use].missing != "refuses")


def test_a_class_is_not_both_usable_and_refused() -> None:
    assert not {use.rpartition(".")[2] for use in USES} & set(NOT_HERE)
