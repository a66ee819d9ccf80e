"""Models of each library are explained by their trees, exactly. Other models have the reason why they are not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from lightgbm import LGBMClassifier, LGBMRegressor
from onnxmltools import convert_lightgbm, convert_xgboost
from onnxmltools.convert.common.data_types import FloatTensorType as Floats
from rondo.contracts.spec.model import Feature, Prepare
from rondo.contracts.tasks.base import FittedTask
from rondo.serving.explanations.exact import exact_shapley
from rondo.serving.explanations.trees.errors import NotTreesError
from rondo.serving.explanations.trees.tree_model_onnx import TreeModel
from rondo.trainer.external_models.feature_model import ExternalFeatureModel
from rondo.trainer.onnx_graph import builder
from skl2onnx import to_onnx
from sklearn.ensemble import ExtraTreesClassifier, GradientBoostingClassifier, RandomForestRegressor
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from xgboost import XGBClassifier, XGBRegressor

from tests.serving.builders import BINARY, FEATURES, build_model, version_of
from tests.serving.explanations.trees.trained import PREPARATIONS, TASKS, drawn, loaded, trained
from tests.trainer.external_models import graphs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from numpy.typing import NDArray
    from rondo.serving.explanations.shapley import Shapley
    from rondo.serving.models.loaded_version import LoadedVersion

FOREST = {
    "number": "sklearn.ensemble.RandomForestRegressor",
    "probability": "sklearn.ensemble.RandomForestClassifier",
    "probabilities": "sklearn.ensemble.ExtraTreesClassifier",
}
SUMS = [("lightgbm", "number"), ("xgboost", "number"), *((FOREST[kind], kind) for kind in TASKS)]
MARGINS = [(library, kind) for library in ("lightgbm", "xgboost") for kind in ("probability", "probabilities")]


def answers_of(version: LoadedVersion) -> Callable[[Mapping[str, Any]], NDArray[Any]]:
    output = version.outputs.explained.name

    def answers(columns: Mapping[str, Any]) -> NDArray[Any]:
        return np.asarray(version.scorer.score(columns)[output]).reshape(len(next(iter(columns.values()))), -1)

    return answers


def logits(kind: str, answers: NDArray[Any]) -> NDArray[Any]:
    """Return the margins of probabilities. Those of several classes are only known up to a number for each row."""
    wide = answers.astype(np.float64)
    return np.log(wide / (1 - wide)) if kind == "probability" else np.log(wide / wide[:, :1])


def explained(
    library: str, kind: str, prepare: str
) -> tuple[TreeModel, Callable[[Mapping[str, Any]], NDArray[Any]], dict[str, Any]]:
    """Return a trained model, what it answers for columns, and the background of its explanations."""
    content = trained(library, kind, PREPARATIONS[prepare])
    version, background = loaded(content), drawn(20, 2)
    return TreeModel(content, version, background), answers_of(version), background


def explanations(
    model: TreeModel, answers: Callable[[Mapping[str, Any]], NDArray[Any]]
) -> Iterator[tuple[dict[str, Any], Shapley]]:
    """Yield rows with the explanation of each by its trees."""
    rows = drawn(6, 3)
    for number, found in enumerate(model.explain(rows, answers(rows))):
        yield {name: column[number] for name, column in rows.items()}, found


@pytest.mark.medium
@pytest.mark.parametrize("prepare", PREPARATIONS)
@pytest.mark.parametrize(("library", "kind"), SUMS)
def test_the_answer_of_a_sum_of_trees_is_explained_exactly(library: str, kind: str, prepare: str) -> None:
    model, answers, background = explained(library, kind, prepare)
    assert model.is_sum
    for row, found in explanations(model, answers):
        wanted = exact_shapley(answers, row, background)
        assert found.values == pytest.approx(wanted.values, abs=1e-5)
        assert found.base == pytest.approx(answers(background).mean(axis=0), abs=1e-5)


@pytest.mark.medium
@pytest.mark.parametrize("prepare", PREPARATIONS)
@pytest.mark.parametrize(("library", "kind"), MARGINS)
def test_the_margin_of_boosted_trees_is_explained_exactly(library: str, kind: str, prepare: str) -> None:
    model, answers, background = explained(library, kind, prepare)
    assert not model.is_sum
    for row, found in explanations(model, answers):
        wanted = exact_shapley(lambda columns: logits(kind, answers(columns)), row, background)
        values = found.values if kind == "probability" else found.values - found.values[:, :1]
        assert values == pytest.approx(wanted.values, abs=1e-4)


X, LABELS, SIGNAL = graphs.X, graphs.BINARY, graphs.X[:, 0] * graphs.X[:, 1]
INPUTS = {"initial_types": [("input", Floats([None, 4]))]}
# How each is converted and fitted, its task, and whether its answer is the sum of its trees.
CONVERTED: dict[str, tuple[Callable[[], Any], str, bool]] = {
    "forest": (lambda: to_onnx(RandomForestRegressor(5, max_depth=4).fit(X, SIGNAL), X[:1]), "number", True),
    "scaled trees": (
        lambda: to_onnx(
            make_pipeline(StandardScaler(), ExtraTreesClassifier(5, max_depth=4)).fit(X, LABELS), X[:1],
            options={"zipmap": False},
        ),
        "probability", True,
    ),
    "classes of a forest": (
        lambda: to_onnx(ExtraTreesClassifier(5, max_depth=4).fit(X, graphs.CLASSES), X[:1], options={"zipmap": False}),
        "probabilities", True,
    ),
    "boosted scikit-learn": (
        lambda: to_onnx(GradientBoostingClassifier(n_estimators=5).fit(X, LABELS), X[:1], options={"zipmap": False}),
        "probability", False,
    ),
    "LightGBM numbers": (
        lambda: convert_lightgbm(LGBMRegressor(n_estimators=5, verbose=-1).fit(X, SIGNAL), **INPUTS), "number", True,
    ),
    "LightGBM": (
        lambda: convert_lightgbm(LGBMClassifier(n_estimators=5, verbose=-1).fit(X, LABELS), zipmap=False, **INPUTS),
        "probability", False,
    ),
    "XGBoost numbers": (lambda: convert_xgboost(XGBRegressor(n_estimators=5).fit(X, SIGNAL), **INPUTS), "number", True),
    "XGBoost": (lambda: convert_xgboost(XGBClassifier(n_estimators=5).fit(X, LABELS), **INPUTS), "probability", False),
}  # fmt: skip
CLASSES: dict[str, tuple[str, ...] | None] = {"number": None, "probability": ("0", "1"), "probabilities": None}


@pytest.mark.medium
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", CONVERTED)
def test_trees_of_converters_are_explained_exactly(name: str) -> None:
    made, kind, is_sum = CONVERTED[name]
    external = graphs.given(made(), kind, CLASSES[kind])  # type: ignore[arg-type] - the literals are above
    content = builder.build(ExternalFeatureModel(graphs.NUMBERS, external), TASKS[kind][0], {})
    version = version_of("m", 1, content, graphs.NUMBERS)
    answers = answers_of(version)
    background, rows = ({each: X[part, at] for at, each in enumerate("abcd")} for part in (slice(20), slice(50, 56)))
    model = TreeModel(content, version, background)
    assert model.is_sum == is_sum
    for number, found in enumerate(model.explain(rows, answers(rows))):
        row = {each: column[number] for each, column in rows.items()}
        output = answers if is_sum else lambda columns: logits(kind, answers(columns))
        assert found.values == pytest.approx(exact_shapley(output, row, background).values, abs=1e-4)


def of_linear() -> bytes:
    external = graphs.given(to_onnx(LinearRegression().fit(X, SIGNAL), X[:1]), "number", None)
    return builder.build(ExternalFeatureModel(graphs.NUMBERS, external), FittedTask(task="regression"), {})


@pytest.mark.medium
def test_a_column_of_several_features_is_a_reason() -> None:
    prepare = Prepare(derive={"both": "a * c"}, dates={"day": ("month",)})
    content = trained("lightgbm", "number", prepare)
    with pytest.raises(NotTreesError) as caught:
        TreeModel(content, loaded(content), drawn(20, 2))
    assert caught.value.code == "mixed_features"
    assert "a and c" in caught.value.reason


@pytest.mark.medium
def test_a_derived_column_of_one_feature_is_no_reason() -> None:
    content = trained("lightgbm", "number", Prepare(derive={"square": "a * a"}, dates={"day": ("month",)}))
    assert TreeModel(content, loaded(content), drawn(20, 2)).is_sum


@pytest.mark.medium
def test_a_graph_without_trees_has_a_reason() -> None:
    background = {name: np.ones(2, np.float32) for name in graphs.NUMBERS}
    content = of_linear()
    with pytest.raises(NotTreesError) as caught:
        TreeModel(content, version_of("m", 1, content, graphs.NUMBERS), background)
    assert caught.value.code == "no_trees"


def test_another_graph_has_a_reason() -> None:
    features = {"distance": Feature(type="float")}
    content = build_model(2.0, features, BINARY)
    with pytest.raises(NotTreesError) as caught:
        TreeModel(content, version_of("m", 1, content, features), {"distance": np.ones(2, np.float32)})
    assert caught.value.code == "no_trees"


def test_bytes_that_are_no_graph_have_a_reason() -> None:
    content = build_model(2.0)
    with pytest.raises(NotTreesError) as caught:
        TreeModel(b"\xff" * 9, version_of("m", 1, content, FEATURES), {})
    assert caught.value.code == "unreadable"
