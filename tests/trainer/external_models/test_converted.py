"""Graphs of the converters of scikit-learn, LightGBM and XGBoost: the same predictions, and the right classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest
from lightgbm import LGBMClassifier, LGBMRegressor
from onnxmltools import convert_lightgbm, convert_xgboost
from onnxmltools.convert.common.data_types import FloatTensorType as Floats
from rondo.contracts.spec.model import Feature
from rondo.trainer.external_models.errors import ZipMapError
from skl2onnx import convert_sklearn, to_onnx
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from xgboost import XGBClassifier, XGBRegressor

from tests.trainer.external_models.graphs import BINARY, CLASSES, COLUMNS, NUMBERS, X, given, scored, scored_as_matrix

if TYPE_CHECKING:
    import onnx

pytestmark = pytest.mark.filterwarnings("ignore")


def _sklearn(estimator: Any) -> onnx.ModelProto:
    return to_onnx(estimator, X[:1], options={"zipmap": False} if hasattr(estimator, "classes_") else None)


def _lightgbm(estimator: Any) -> onnx.ModelProto:
    return convert_lightgbm(estimator, initial_types=[("input", Floats([None, 4]))], zipmap=False)


def _xgboost(estimator: Any) -> onnx.ModelProto:
    return convert_xgboost(estimator, initial_types=[("input", Floats([None, 4]))])


CODES = np.digitize(X[:, 0], [-0.5, 0.5])
CLASSIFIERS: list[Any] = [
    (LogisticRegression(), CLASSES, _sklearn),
    (MLPClassifier((4,), max_iter=20, random_state=1), CLASSES, _sklearn),
    (CalibratedClassifierCV(LogisticRegression(), cv=2), CLASSES, _sklearn),
    (LGBMClassifier(n_estimators=3, verbose=-1), CLASSES, _lightgbm),
    (XGBClassifier(n_estimators=3), CODES, _xgboost),
]


@pytest.mark.medium
@pytest.mark.parametrize(("estimator", "labels", "convert"), CLASSIFIERS)
def test_a_classifier_of_several_classes_has_its_probabilities_in_the_order_of_its_classes(
    estimator: Any, labels: Any, convert: Any
) -> None:
    estimator = clone(estimator).fit(X, labels)
    model = given(convert(estimator), "probabilities", None)
    assert model.classes == tuple(str(each) for each in estimator.classes_)
    assert not model.output.assumed
    raw = model.predict(X)
    model.output.check("probabilities", raw)
    np.testing.assert_allclose(raw, estimator.predict_proba(X), atol=1e-6)
    np.testing.assert_allclose(scored(model, NUMBERS, COLUMNS), raw, atol=1e-6)
    np.testing.assert_allclose(scored_as_matrix(model, X), raw, atol=1e-6)


@pytest.mark.medium
@pytest.mark.parametrize(("estimator", "labels", "convert"), CLASSIFIERS)
def test_a_binary_classifier_has_the_probability_of_the_positive_label(
    estimator: Any, labels: Any, convert: Any
) -> None:
    estimator = clone(estimator).fit(X, BINARY)
    model = given(convert(estimator), "probability", ("no", "yes"))
    raw = model.predict(X)
    assert raw.shape == (200, 1)
    np.testing.assert_allclose(raw[:, 0], estimator.predict_proba(X)[:, 1], atol=1e-6)
    np.testing.assert_allclose(scored(model, NUMBERS, COLUMNS), raw, atol=1e-6)


@pytest.mark.parametrize(
    ("estimator", "convert"),
    [
        (LinearRegression(), _sklearn),
        (LGBMRegressor(n_estimators=3, verbose=-1), _lightgbm),
        (XGBRegressor(n_estimators=3), _xgboost),
    ],
)
def test_a_regression_has_its_value(estimator: Any, convert: Any) -> None:
    estimator = clone(estimator).fit(X, X[:, 1])
    model = given(convert(estimator), "number", ())
    assert model.classes == ()
    np.testing.assert_allclose(model.predict(X)[:, 0], estimator.predict(X), atol=1e-5)
    np.testing.assert_allclose(scored(model, NUMBERS, COLUMNS), model.predict(X), atol=1e-6)


def test_a_pipeline_with_categories_has_an_input_for_each_column() -> None:
    features = {"temp": Feature(type="float"), "carrier": Feature(type="category")}
    carrier = np.array(["AA", "B6", "UA"], dtype=object)[np.digitize(X[:, 1], [-0.5, 0.5])]
    encoder = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["carrier"]), remainder="passthrough", sparse_threshold=0
    )
    pipeline = make_pipeline(encoder, LogisticRegression())
    rows = pl.DataFrame({"temp": X[:, 0], "carrier": carrier.astype(str)})
    pipeline.fit(rows, BINARY)
    types = [("temp", FloatTensorType([None, 1])), ("carrier", StringTensorType([None, 1]))]
    converted = convert_sklearn(pipeline, initial_types=types, options={"zipmap": False})
    columns = {"temp": X[:, [0]], "carrier": carrier.reshape(-1, 1)}
    model = given(converted, features=features, columns=columns)
    raw = model.predict_columns(columns)
    np.testing.assert_allclose(raw[:, 0], pipeline.predict_proba(rows)[:, 1], atol=1e-6)
    np.testing.assert_allclose(scored(model, features, columns), raw, atol=1e-6)


def test_dictionaries_of_probabilities_are_refused_with_the_option_that_avoids_them() -> None:
    converted = to_onnx(LogisticRegression().fit(X, BINARY), X[:1])
    with pytest.raises(ZipMapError) as refused:
        given(converted)
    assert refused.value.code == "zipmap"
    assert "is a list of dictionaries (ZipMap), and a tensor is needed: convert it with" in str(refused.value)
    assert "options={'zipmap': False}" in str(refused.value)
