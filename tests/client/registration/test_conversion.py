"""The trainer reads converted estimators as ONNX files with the same predictions.

Others are refused before a request.
"""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import lightgbm
import numpy as np
import onnx
import polars as pl
import pytest
import xgboost
from lightgbm import LGBMClassifier, LGBMRegressor
from rondo.client.errors import RondoError
from rondo.client.registration.comparison import compare
from rondo.client.registration.conversion import Converted, convert
from rondo.client.registration.errors import (
    ConversionDiffersError,
    ConversionUnavailableError,
    NoRowsToCompareError,
    NotConvertibleError,
    RowsNeededError,
)
from rondo.client.registration.onnx_metadata import with_metadata
from rondo.contracts.spec.model import ModelSpec
from rondo.contracts.tasks.registry import task_named
from rondo.trainer.external_models.model import read_model
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from xgboost import XGBClassifier, XGBRegressor

from tests.trainer.external_models.graphs import run

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

pytestmark = pytest.mark.filterwarnings("ignore")
_RNG = np.random.default_rng(4)
X = _RNG.normal(size=(300, 2)).astype(np.float32)
CARRIER = np.array(["AA", "UA", "DL"])[_RNG.integers(0, 3, 300)]
FRAME = pl.DataFrame({"carrier": CARRIER, "temp": X[:, 0], "wind": X[:, 1]})
LATE = (X[:, 0] + (CARRIER == "UA") > 0).astype(int)
SIZES = np.array(["large", "small", "tiny"])[np.digitize(X[:, 0], [-0.5, 0.5])]
NUMBERS = {"temp": {"type": "float"}, "wind": {"type": "float", "min": 0, "max": 9}}
LISTED = {"carrier": {"type": "category", "values": ["AA", "UA", "DL"]}, **NUMBERS}


def spec(task: str = "binary", features: Mapping[str, Any] = NUMBERS, **data: str) -> dict[str, Any]:
    content = {
        "model": "late", "task": task, "features": features,
        "data": {"dataset": "trips", "entity": "id", "event_time": "at", "label": "late"} | data,
    }  # fmt: skip
    return ModelSpec.model_validate(content).as_dict()


def as_read(converted: Converted, task: str, features: Mapping[str, Any], columns: dict[str, Any]) -> Any:
    """Return what the trainer reads in the file."""
    classes = {"binary": ("0", "1"), "regression": ()}.get(task)
    described = ModelSpec.model_validate(spec(task, features)).features
    columns = {name: np.asarray(values).reshape(-1, 1) for name, values in columns.items()}
    model = read_model(
        converted.content, described, task_named(task).target, classes, {k: v[:3] for k, v in columns.items()}, run
    )
    return model, model.predict_columns(columns)


COLUMNS = {"temp": X[:, 0], "wind": X[:, 1]}


@pytest.mark.medium
@pytest.mark.parametrize(
    ("estimator", "task", "labels"),
    [
        (LogisticRegression(), "binary", LATE),
        (RandomForestClassifier(3), "multiclass", SIZES),
        (LinearRegression(), "regression", X[:, 1]),
        (make_pipeline(StandardScaler(), LGBMClassifier(n_estimators=3, verbose=-1)), "binary", LATE),
        (LGBMClassifier(n_estimators=3, verbose=-1), "multiclass", SIZES),
        (LGBMRegressor(n_estimators=3, verbose=-1), "regression", X[:, 1]),
        (XGBClassifier(n_estimators=3), "binary", LATE),
        (XGBClassifier(n_estimators=3), "multiclass", np.digitize(X[:, 0], [-0.5, 0.5])),
        (XGBRegressor(n_estimators=3), "regression", X[:, 1]),
    ],
    ids=lambda each: type(each).__name__ if hasattr(each, "predict") else "",
)
def test_an_estimator_of_an_array_becomes_a_file_that_predicts_as_it_does(
    estimator: Any, task: str, labels: Any
) -> None:
    estimator.fit(X, labels)
    converted = convert(estimator, spec(task))
    assert compare(estimator, converted, spec(task)).max_difference <= 1e-4
    assert compare(estimator, converted, spec(task), rows=X).max_difference <= 1e-4
    model, raw = as_read(converted, task, NUMBERS, COLUMNS)
    native = estimator.predict(X) if task == "regression" else estimator.predict_proba(X)[:, -raw.shape[1] :]
    np.testing.assert_allclose(raw, native.reshape(raw.shape), atol=1e-5)
    if task == "multiclass":
        assert model.classes == tuple(map(str, estimator.classes_))


@pytest.fixture(scope="module")
def pipeline() -> Any:
    columns = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["carrier"]), (StandardScaler(), ["temp"]), sparse_threshold=0
    )
    return make_pipeline(columns, LogisticRegression()).fit(FRAME.select("temp", "carrier"), LATE)


def test_a_pipeline_of_a_data_frame_has_an_input_for_each_of_its_columns(pipeline: Any) -> None:
    converted = convert(pipeline, spec(features=LISTED))
    assert (converted.columns, converted.named) == (("temp", "carrier"), True)
    assert compare(pipeline, converted, spec(features=LISTED)).max_difference <= 1e-4
    assert compare(pipeline, converted, spec(features=LISTED), rows=FRAME).max_difference <= 1e-4
    columns = {"carrier": CARRIER.astype(object), **COLUMNS}
    model, raw = as_read(converted, "binary", LISTED, columns)
    np.testing.assert_allclose(raw[:, 0], pipeline.predict_proba(FRAME.select("temp", "carrier"))[:, 1], atol=1e-5)
    assert model.unused == ("wind",)


def test_an_estimator_that_knows_its_names_may_have_another_order() -> None:
    estimator = LinearRegression().fit(FRAME.select("wind", "temp"), X[:, 1])
    converted = convert(estimator, spec("regression"))
    assert converted.columns == ("wind", "temp")
    _, raw = as_read(converted, "regression", NUMBERS, COLUMNS)
    np.testing.assert_allclose(raw[:, 0], X[:, 1], atol=1e-5)


def test_a_graph_that_predicts_otherwise_is_refused_with_the_row() -> None:
    one, other = (LogisticRegression(C=c).fit(X, LATE) for c in (1.0, 0.01))
    with pytest.raises(ConversionDiffersError) as refused:
        compare(one, convert(other, spec()), spec(), rows=X)
    assert refused.value.code == "conversion_differs"
    assert refused.value.row.keys() == {"temp", "wind"}
    assert "the ONNX graph differs from the estimator by" in str(refused.value)
    assert "nothing was sent" in str(refused.value)
    assert compare(one, convert(other, spec()), spec(), rows=X, tolerance=1.0).max_difference > 1e-4


OPTIONAL = {name: each | {"optional": True} for name, each in LISTED.items()}


def with_graph(converted: Converted, change: Callable[[onnx.ModelProto], None]) -> Converted:
    model = onnx.load_model_from_string(converted.content)
    change(model)
    return replace(converted, content=model.SerializeToString())


def test_a_graph_that_takes_missing_values_otherwise_is_refused() -> None:
    """A request may lack an optional feature, although neither the given rows nor random rows do."""
    estimator = make_pipeline(SimpleImputer(strategy="constant", fill_value=9.0), LinearRegression()).fit(X, X[:, 0])

    def impute_otherwise(model: onnx.ModelProto) -> None:
        (imputer,) = (node for node in model.graph.node if node.op_type == "Imputer")
        (value,) = (each for each in imputer.attribute if each.name == "imputed_value_floats")
        value.floats[:] = [-1.0] * len(value.floats)

    described = spec("regression", {name: OPTIONAL[name] for name in NUMBERS})
    converted = convert(estimator, described)
    compared = compare(estimator, converted, described, rows=X)
    assert compared.rows > len(X)
    assert (compared.left_out, compared.max_difference) == (0, pytest.approx(0, abs=1e-4))
    otherwise = with_graph(converted, impute_otherwise)
    for rows in (X, None):
        with pytest.raises(ConversionDiffersError) as refused:
            compare(estimator, otherwise, described, rows=rows)
        assert any(np.isnan(value) for value in refused.value.row.values())
    required = spec("regression")
    assert compare(estimator, otherwise, required, rows=X).max_difference < 1e-4, "no request lacks a feature"


def test_a_graph_that_takes_a_category_that_is_not_known_otherwise_is_refused(pipeline: Any) -> None:
    unlisted = spec(features=LISTED | {"carrier": {"type": "category"}})
    converted = convert(pipeline, unlisted)
    assert compare(pipeline, converted, unlisted, rows=FRAME).left_out == 0

    def know_another(model: onnx.ModelProto) -> None:
        (encoder,) = (node for node in model.graph.node if node.op_type == "OneHotEncoder")
        (names,) = (each for each in encoder.attribute if each.name == "cats_strings")
        names.strings[:] = ["\U0001f30d".encode() if each == b"UA" else each for each in names.strings]

    with pytest.raises(ConversionDiffersError):
        compare(pipeline, with_graph(converted, know_another), unlisted, rows=FRAME.filter(pl.col("carrier") != "UA"))


def test_edge_rows_that_the_estimator_refuses_are_counted() -> None:
    """The estimator refuses missing values, and the graph accepts them."""
    described = spec("regression", {name: OPTIONAL[name] for name in NUMBERS})
    estimator = LinearRegression().fit(X, X[:, 0])
    compared = compare(estimator, convert(estimator, described), described, rows=X)
    assert compared.left_out > 2
    assert compared.rows > len(X)
    assert compared.max_difference < 1e-4


@pytest.mark.parametrize("kind", ["float", "int", "bool"])
def test_edge_values_are_those_that_a_request_may_have(kind: str) -> None:
    seen: list[Any] = []

    class Recorder(LinearRegression):
        def predict(self, rows: Any) -> Any:
            seen.append(rows[:, 0])
            return super().predict(rows)

    limits = {} if kind == "bool" else {"min": 1, "max": 7}
    described = spec("regression", {"temp": {"type": kind} | limits, "wind": {"type": "float"}})
    whole = np.column_stack([np.arange(300) % (2 if kind == "bool" else 7) + (kind != "bool"), X[:, 1]])
    plain = LinearRegression().fit(whole, X[:, 1])
    estimator = Recorder().fit(whole, X[:, 1])
    compare(estimator, convert(plain, described), described, rows=whole.astype(np.float32))
    values = np.concatenate(seen)
    assert (values.min(), values.max()) == ((0, 1) if kind == "bool" else (1, 7))


@pytest.mark.parametrize("rows", [X[:0], FRAME.select("temp", "wind").clear()])
def test_no_rows_to_compare_on_are_refused(rows: Any) -> None:
    one = LogisticRegression().fit(X, LATE)
    with pytest.raises(NoRowsToCompareError) as refused:
        compare(one, convert(one, spec()), spec(), rows=rows)
    assert refused.value.code == "no_rows"
    assert "`rows` has no row to compare the estimator with its ONNX graph on: pass at least one" in str(refused.value)


def test_random_rows_need_the_values_of_a_category(pipeline: Any) -> None:
    unlisted = LISTED | {"carrier": {"type": "category"}}
    with pytest.raises(RowsNeededError) as refused:
        compare(pipeline, convert(pipeline, spec(features=unlisted)), spec(features=unlisted))
    assert refused.value.code == "rows_needed"
    assert "'carrier'" in str(refused.value)


def test_the_columns_of_an_array_are_the_stated_features_in_their_order() -> None:
    more = spec(features={"a": {"type": "float"}, "b": {"type": "float"}, "c": {"type": "float"}})
    estimator = LogisticRegression().fit(X, LATE)
    converted = convert(estimator, more, ["c", "a"])
    assert converted.columns == ("c", "a")
    assert compare(estimator, converted, more).max_difference < 1e-4
    for stated, facts in (
        (["c", "d"], r"\bd\b.* a, b, c\b"),
        (["c"], r" 2 columns .*`features` are c\b"),
        (None, r" a, b, c\b.*`features=\[...\]`"),
    ):
        with pytest.raises(NotConvertibleError) as refused:
            convert(estimator, more, stated)
        assert re.search(facts, str(refused.value))
    assert "pandas or polars" in str(refused.value)
    named = LinearRegression().fit(FRAME.select("temp"), X[:, 0])
    with pytest.raises(NotConvertibleError) as refused:
        convert(named, spec("regression"), ["distance"])
    assert re.search(r"\btemp\b.*`features` .*\bdistance\b", str(refused.value))


FITTED = LogisticRegression().fit(X, LATE)


@pytest.mark.parametrize(
    ("estimator", "described", "facts"),
    [
        (object(), spec(), "scikit-learn, LightGBM or XGBoost"),
        (FITTED, spec("regression"), "classifier.* regression"),
        (LinearRegression().fit(X, X[:, 0]), spec(), "probabilities"),
        (RidgeClassifier().fit(X, LATE), spec(), "probabilities"),
        (LogisticRegression().fit(X, SIZES), spec(), "large, small, tiny,.* 0, 1"),
        (LogisticRegression().fit(X, LATE + 0.5 * LATE == 1.5), spec(features=LISTED), " 2 columns "),
        (LogisticRegression().fit(np.hstack([X, X[:, :1]]), LATE), spec(features=LISTED), "carrier.* category"),
        (
            LinearRegression().fit(FRAME.select("temp").rename({"temp": "t"}), X[:, 0]),
            spec("regression"),
            " t,",
        ),
    ],
)
def test_what_does_not_fit_the_spec_is_refused(estimator: Any, described: dict[str, Any], facts: str) -> None:
    with pytest.raises(NotConvertibleError) as refused:
        convert(estimator, described)
    assert refused.value.code == "not_convertible"
    assert re.search(facts, str(refused.value))


AT_ONCE = ("at once, and a model has one: fit one estimator for each",)


@pytest.mark.parametrize(
    ("estimator", "task", "parts"),
    [
        (
            LGBMClassifier(boosting_type="rf", bagging_freq=1, bagging_fraction=0.5, n_estimators=3, verbose=-1),
            "multiclass",
            ("the graph has the shape ", ", and the predictions ", ", 3)"),
        ),
        (
            XGBRegressor(objective="reg:quantileerror", quantile_alpha=np.array([0.1, 0.9]), n_estimators=3),
            "regression",
            ("2 numbers", *AT_ONCE),
        ),
        (LinearRegression(), "two numbers", ("2 numbers", *AT_ONCE)),
        (
            RandomForestClassifier(3),
            "two labels",
            ("2 labels", "at once, and a model has one: fit one estimator for each"),
        ),
    ],
    ids=["random forest of LightGBM", "quantiles", "numbers", "labels"],
)
def test_another_number_of_predictions_than_the_graphs_is_refused(
    estimator: Any, task: str, parts: tuple[str, ...]
) -> None:
    labels = {
        "multiclass": SIZES, "regression": X[:, 0], "two numbers": X, "two labels": np.column_stack([LATE, 1 - LATE]),
    }[task]  # fmt: skip
    described = spec({"two numbers": "regression", "two labels": "binary"}.get(task, task))
    estimator = estimator.fit(X, labels)
    with pytest.raises(NotConvertibleError) as refused:
        compare(estimator, convert(estimator, described, ["temp", "wind"]), described)
    assert [part for part in parts if part not in str(refused.value)] == []


@pytest.mark.parametrize("task", ["binary", "regression"])
def test_a_native_booster_is_refused_with_the_estimator_to_fit_instead(task: str) -> None:
    boosters: dict[str, Any] = {
        "LGBMClassifier": lightgbm.train({"verbose": -1}, lightgbm.Dataset(X, LATE), 2),
        "XGBClassifier": xgboost.train({}, xgboost.DMatrix(X, LATE), 2),
    }
    for instead, booster in boosters.items():
        with pytest.raises(NotConvertibleError) as refused:
            convert(booster, spec(task), ["temp", "wind"])
        assert f"fit {instead} or " in str(refused.value)
        assert "can't be registered: " in str(refused.value)
        assert "it has no classes and names of features, unlike an estimator: fit " in str(refused.value)


def test_the_file_of_a_booster_of_xgboost_can_be_loaded_into_an_estimator(tmp_path: Path) -> None:
    """The refusal of a booster names this."""
    xgboost.train({"objective": "binary:logistic"}, xgboost.DMatrix(X, LATE), 2).save_model(tmp_path / "model.json")
    estimator = XGBClassifier()
    estimator.load_model(tmp_path / "model.json")
    described = spec()
    assert compare(estimator, convert(estimator, described, ["temp", "wind"]), described).rows > 1_000


@pytest.mark.parametrize(
    ("estimator", "library"), [(FITTED, "skl2onnx"), (XGBClassifier(n_estimators=1), "onnxmltools")]
)
def test_without_the_extra_the_error_names_it(estimator: Any, library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ConversionUnavailableError) as refused:
        convert(estimator.fit(X, LATE), spec())
    assert (refused.value.code, refused.value.library) == ("conversion_unavailable", library)
    assert "is not installed, which converts estimators to ONNX: install the extra" in str(refused.value)
    assert "rondo-client[convert]" in str(refused.value)
    assert isinstance(refused.value, RondoError)


def test_the_classes_travel_in_the_metadata() -> None:
    estimator = LogisticRegression().fit(X, np.where(LATE == 1, "yes", "no"))
    converted = convert(estimator, spec(positive="yes", negative="no"))
    read_back = onnx.load_model_from_string(with_metadata(converted.content, {}))
    metadata = {entry.key: entry.value for entry in read_back.metadata_props}
    assert metadata == {"rondo.classes": '["no", "yes"]', "rondo.features": '["temp", "wind"]'}
