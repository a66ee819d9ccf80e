"""A registration through the worker: in-memory queue, real tables, artifacts, onnxruntime and converted models."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import polars as pl
import pytest
from onnx import helper
from rondo.chassis.artifacts import Artifacts
from rondo.chassis.training_evidence import load_evidence
from rondo.contracts.events.training import ModelTrained, TrainingFailed, TrainingSkipped, Trigger
from rondo.trainer.external_models import document, errors
from rondo.trainer.onnx_graph import builder
from rondo.trainer.onnx_graph.isolated_run import IsolatedRun
from rondo.trainer.onnx_graph.runtime import Scorer
from rondo.trainer.preparation.inputs import onnx_inputs
from skl2onnx import convert_sklearn, to_onnx
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from tests.trainer import builders
from tests.trainer.external_models.graphs import FLOAT, column, graph
from tests.trainer.external_models.test_document import external
from tests.trainer.onnx_graph.test_isolated_run import endless
from tests.trainer.worker_harness import PIPELINE

if TYPE_CHECKING:
    from tests.trainer.worker_harness import WorkerHarness

ROWS = builders.rows(2_000)
TYPES = [("carrier", StringTensorType([None, 1])), ("distance", FloatTensorType([None, 1]))]
# A graph that was made elsewhere is run in a process of its own.
pytestmark = pytest.mark.process
NUMBERS = {"carrier": {"type": "float", "optional": True}, "distance": {"type": "float", "optional": True}}


def _elsewhere(unknown: str = "ignore") -> Any:
    """Return a pipeline of scikit-learn that is fitted to the first 1,500 rows."""
    encoder = make_column_transformer(
        (OneHotEncoder(handle_unknown=unknown), ["carrier"]), (StandardScaler(), ["distance"]), sparse_threshold=0
    )
    known = ROWS.head(1_500)
    return make_pipeline(encoder, LogisticRegression()).fit(known.select("carrier", "distance"), known["late"])


@pytest.fixture(scope="module")
def pipeline() -> Any:
    return _elsewhere()


def _converted(fitted: Any) -> onnx.ModelProto:
    return convert_sklearn(fitted, initial_types=TYPES, options={"zipmap": False})


@pytest.fixture(scope="module")
def converted(pipeline: Any) -> onnx.ModelProto:
    return _converted(pipeline)


def _with(model: onnx.ModelProto, **metadata: str) -> bytes:
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    helper.set_model_props(copy, {f"rondo.{key}": value for key, value in metadata.items()})
    return copy.SerializeToString()


async def _register(harness: WorkerHarness, content: bytes, name: str = "given", **spec: Any) -> Any:
    digest = await Artifacts(str(harness.artifacts)).put(content)
    trigger = builders.trigger("registration", name=name).model_copy(update={"artifact": digest})
    (end,) = await harness.run((builders.spec(**spec), trigger))
    return end


async def _refused(harness: WorkerHarness, content: bytes, **spec: Any) -> str:
    end = await _register(harness, content, **spec)
    assert isinstance(end, TrainingFailed)
    assert end.attempts == 1
    return end.reason


def _codes(trained: ModelTrained) -> set[str]:
    return {note.code for note in trained.summary.notes}


async def test_a_model_made_elsewhere_becomes_a_candidate_with_its_evidence(
    harness: WorkerHarness, pipeline: Any, converted: onnx.ModelProto
) -> None:
    builders.write_batch(harness.data, ROWS)
    trained = await _register(harness, _with(converted, trained_until="2013-01-02T00:59:00+00:00"))
    assert isinstance(trained, ModelTrained)
    assert trained.trigger.artifact is not None
    store = Artifacts(str(harness.artifacts))
    graph = await store.get(trained.digest)
    assert builder.read_signature(graph) == builders.spec().features
    assert builder.read_task(graph).task == "binary"
    assert builder.trained_until(graph) == builders.START + timedelta(days=1, minutes=59)
    scores = Scorer(1)(graph, onnx_inputs(builders.spec().features, ROWS))["score"]
    np.testing.assert_allclose(scores, pipeline.predict_proba(ROWS.select("carrier", "distance"))[:, 1], atol=1e-5)

    evidence = await load_evidence(store, trained.evidence)
    assert (evidence.rows_trained, evidence.rows_holdout, evidence.profile.rows) == (0, 200, 2_000)
    assert evidence.candidate.metrics["roc_auc"] > 0.6
    assert evidence.parity.rows > 3_000
    assert evidence.parity.max_difference < 1e-6
    assert _codes(trained) == {"few_later_rows"}


async def test_it_is_compared_with_the_champion_and_a_training_with_it(
    harness: WorkerHarness, converted: onnx.ModelProto
) -> None:
    builders.write_batch(harness.data, ROWS)
    (first,) = await harness.run((builders.spec(), builders.trigger(name="one")))
    harness.set_champion(1, first.digest)
    given = await _register(harness, _with(converted))
    assert given.summary.champion_metrics == pytest.approx(first.summary.metrics, abs=1e-6)
    assert _codes(given) == {"unknown_training_rows"}
    harness.set_champion(2, given.digest)
    again = await _register(harness, _with(converted), name="again")
    assert again.digest == given.digest
    assert again.summary.champion_metrics == pytest.approx(given.summary.metrics, abs=1e-6)
    # A registration is no training on these rows, but the training before is one.
    (skipped,) = await harness.run((builders.spec(), builders.trigger(day=70, name="two")))
    assert isinstance(skipped, TrainingSkipped)
    assert skipped.reason == "no_new_data"
    assert "run-one" in skipped.detail


async def _beside_registered(harness: WorkerHarness, content: bytes, *, turned: bool) -> Any:
    """Return the end of a training by new labels while a registered model serves. The labels may be reversed."""
    trainer = {"kind": "xgboost", "params": {"n_estimators": 5, "max_depth": 3}, "min_rows": 1_000}
    described = builders.spec(gates={"roc_auc": {"not_worse_than_champion": 0.5}}).as_dict()
    described |= {"trainer": trainer, "retrain": {"policy": "auto"}}
    spec = type(builders.spec()).model_validate(described)
    builders.write_batch(harness.data, ROWS)
    digest = await Artifacts(str(harness.artifacts)).put(content)
    trigger = builders.trigger("registration", name="given").model_copy(update={"artifact": digest})
    (registered,) = await harness.run((spec, trigger))
    harness.set_champion(1, registered.digest)
    # The registration was no training, so all labelled rows are new.
    later = builders.rows(400, builders.START + timedelta(days=9), "n", seed=2)
    builders.write_batch(harness.data, later.with_columns(late=1 - pl.col("late")) if turned else later, "b2")
    (ended,) = await harness.run((spec, builders.trigger("new_labels", name="labels")))
    return ended


@pytest.mark.slow
@pytest.mark.parametrize("until", ["2013-01-02T00:59:00Z", None])
async def test_new_labels_train_by_the_spec_where_a_registered_model_serves(
    harness: WorkerHarness, converted: onnx.ModelProto, until: str | None
) -> None:
    trained = await _beside_registered(
        harness, _with(converted, **({"trained_until": until} if until else {})), turned=True
    )
    assert isinstance(trained, ModelTrained), getattr(trained, "detail", "")
    assert trained.summary.parameters is not None
    assert trained.summary.parameters.kind == "xgboost"
    assert trained.summary.adaptation is not None
    strategies = {each.strategy for each in trained.summary.adaptation.scores}
    assert ("champion" in strategies) is (until is not None)
    evidence = await load_evidence(Artifacts(str(harness.artifacts)), trained.evidence)
    assert evidence.champion_version == 1
    assert [each.metric for each in evidence.comparisons] == ["roc_auc"]
    assert evidence.parity.native is True


@pytest.mark.slow
async def test_a_registered_model_that_is_better_than_new_fits_is_kept(
    harness: WorkerHarness, converted: onnx.ModelProto
) -> None:
    kept = await _beside_registered(harness, _with(converted, trained_until="2013-01-02T00:59:00Z"), turned=False)
    assert isinstance(kept, TrainingSkipped)
    assert kept.reason == "no_gain"
    assert kept.adaptation is not None
    assert kept.adaptation.strategy == "champion"


async def test_only_rows_after_its_training_judge_it(harness: WorkerHarness, converted: onnx.ModelProto) -> None:
    builders.write_batch(harness.data, ROWS)
    later = await _register(harness, _with(converted, trained_until="2013-01-02T08:18:00Z"))
    assert later.summary.rows_holdout == 61
    reason = await _refused(harness, _with(converted, trained_until="2013-02-01T00:00:00Z"))
    assert "up to 2013-02-01 00:00:00" in reason
    assert "so there are no rows to evaluate it on: register it once newer rows are labelled" in reason


@pytest.mark.parametrize(
    "written", ["yesterday", "2013-01-02T08:18:00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"]
)
async def test_an_unreadable_time_is_named_and_the_run_is_not_repeated(
    harness: WorkerHarness, converted: onnx.ModelProto, written: str
) -> None:
    builders.write_batch(harness.data, ROWS)
    reason = await _refused(harness, _with(converted, trained_until=written))
    assert f"`rondo.trained_until` of the model is {written!r}: write a time between the years" in reason
    assert "with an offset, such as 2013-03-01T12:00:00Z" in reason


@pytest.mark.slow
async def test_what_it_cannot_take_is_noted_or_refused(harness: WorkerHarness) -> None:
    builders.write_batch(harness.data, ROWS)
    strict = _converted(_elsewhere(unknown="error")).SerializeToString()
    noted = await _register(harness, strict)
    assert _codes(noted) == {"unknown_training_rows", "fails_on_edges"}
    builders.write_batch(harness.data, builders.rows(100, builders.START + timedelta(days=9), "n").with_columns(
        carrier=pl.lit("new")), "b2")  # fmt: skip
    reason = await _refused(harness, strict)
    assert "the model fails on labelled rows" in reason
    assert "and unseen categories" in reason


@pytest.mark.slow
async def test_missing_values_that_it_cannot_take_are_noted_or_refused(harness: WorkerHarness) -> None:
    numbers = ROWS.with_columns(carrier=pl.col("distance") / 2)
    builders.write_batch(harness.data, numbers)
    fitted = LogisticRegression(max_iter=1_000).fit(numbers.select("carrier", "distance").to_numpy(), numbers["late"])
    content = to_onnx(fitted, np.zeros((1, 2), np.float32), options={"zipmap": False}).SerializeToString()
    noted = await _register(harness, content, features=NUMBERS)
    assert [note.feature for note in noted.summary.notes if note.code == "needs_value"] == ["carrier", "distance"]
    missing = builders.rows(50, builders.START + timedelta(days=9), "n").with_columns(
        carrier=pl.lit(None, pl.Float32), distance=pl.lit(None, pl.Float32)
    )
    builders.write_batch(harness.data, missing, "b2")
    reason = await _refused(harness, content, features=NUMBERS)
    assert "the model gives no finite number for 50 of the" in reason
    assert "such as with an imputer before the estimator" in reason


async def _train_beside(harness: WorkerHarness, content: bytes, later: pl.DataFrame, **spec: Any) -> tuple[str, str]:
    """Train an ensemble with a registered champion on rows and later ones, and return the two reasons against it."""
    registered = await _register(harness, content, **spec)
    assert isinstance(registered, ModelTrained)
    harness.set_champion(1, registered.digest)
    builders.write_batch(harness.data, later, "b2")
    trainer = builders.spec().trainer.model_dump(include={"params"}) | {"ensemble": 2}
    (trained,) = await harness.run((builders.spec(trainer=trainer, **spec), builders.trigger()))
    assert isinstance(trained, ModelTrained), trained
    evidence = await load_evidence(Artifacts(str(harness.artifacts)), trained.evidence)
    assert (evidence.champion, evidence.champion_version) == (None, 1)
    (left_out,) = (note.message for note in evidence.notes if note.code == "ensemble_left_out")
    return evidence.champion_not_comparable or "", left_out


@pytest.mark.slow
async def test_a_champion_that_fails_on_a_new_category_fails_no_training(harness: WorkerHarness) -> None:
    builders.write_batch(harness.data, ROWS)
    strict = _with(_converted(_elsewhere(unknown="error")), trained_until="2013-01-02T00:59:00Z")
    later = builders.rows(100, builders.START + timedelta(days=9), "n").with_columns(carrier=pl.lit("new"))
    not_comparable, left_out = await _train_beside(harness, strict, later)
    assert left_out.startswith("version 1 is left out ")
    assert "Unknown Category" in not_comparable
    assert "Unknown Category" in left_out


@pytest.mark.slow
async def test_a_champion_that_gives_no_number_fails_no_training(harness: WorkerHarness) -> None:
    numbers = ROWS.with_columns(carrier=pl.col("distance") / 2)
    builders.write_batch(harness.data, numbers)
    known = numbers.head(1_500)
    fitted = LogisticRegression(max_iter=1_000).fit(known.select("carrier", "distance").to_numpy(), known["late"])
    graph = to_onnx(fitted, np.zeros((1, 2), np.float32), options={"zipmap": False})
    later = builders.rows(50, builders.START + timedelta(days=9), "n").with_columns(
        carrier=pl.lit(None, pl.Float32), distance=pl.lit(None, pl.Float32)
    )
    not_comparable, left_out = await _train_beside(
        harness, _with(graph, trained_until="2013-01-02T00:59:00Z"), later, features=NUMBERS
    )
    assert "finite" in not_comparable
    assert re.fullmatch(f"version 1 .*: {re.escape(not_comparable)}", left_out)


async def test_a_model_of_another_task_or_other_features_is_refused(
    harness: WorkerHarness, converted: onnx.ModelProto
) -> None:
    builders.write_batch(harness.data, ROWS)
    value = LinearRegression().fit(np.zeros((3, 2)), [700.0, 800.0, 900.0])
    numbers = to_onnx(value, np.zeros((1, 2), np.float32)).SerializeToString()
    assert "carrier is a category" in await _refused(harness, numbers)
    other = _converted(_elsewhere())
    other.graph.input[1].name = "miles"
    for node in other.graph.node:
        node.input[:] = ["miles" if name == "distance" else name for name in node.input]
    assert "miles is no feature of the spec, and distance has no input" in await _refused(
        harness, other.SerializeToString()
    )
    assert "not an ONNX model" in await _refused(harness, b"\x80\x04pickle")


async def test_a_margin_is_no_probability(harness: WorkerHarness) -> None:
    builders.write_batch(harness.data, ROWS.with_columns(carrier=pl.col("distance")))
    value = LinearRegression().fit(np.zeros((3, 2)), [700.0, 800.0, 900.0])
    content = to_onnx(value, np.zeros((1, 2), np.float32)).SerializeToString()
    assert "a value is 800" in await _refused(harness, content, features=NUMBERS)


async def test_a_model_that_is_gone_is_refused(harness: WorkerHarness) -> None:
    builders.write_batch(harness.data, ROWS)
    trigger = Trigger.model_validate(builders.trigger("registration").model_dump() | {"artifact": builders.DIGEST})
    (failed,) = await harness.run((builders.spec(), trigger))
    assert builders.DIGEST in failed.reason


MATRIX = {"x": (FLOAT, ["N", 2])}
RANDOM = helper.make_node("RandomNormalLike", ["x"], ["z"])
FUSED = helper.make_node("FusedMatMul", ["x", "x"], ["z"], domain="com.microsoft")
# The error whose sentence is the reason of the run.
UNFIT: dict[str, tuple[onnx.ModelProto, errors.ExternalModelError]] = {
    "opset": (
        graph(*column(), inputs=MATRIX, opsets={"": 99}),
        errors.UnsupportedOpsetError("ai.onnx", 99, document.NEWEST[""]),
    ),
    "external data": (graph(*column(), inputs=MATRIX, initializers=[external()]), errors.ExternalDataError("w")),
    "custom operator": (
        graph(FUSED, *column(), inputs=MATRIX, opsets={"": 15, "com.microsoft": 1}),
        errors.CustomOperatorError("FusedMatMul", "com.microsoft"),
    ),
    "random numbers": (graph(RANDOM, *column(), inputs=MATRIX), errors.RandomOperatorError("RandomNormalLike")),
}


@pytest.mark.parametrize("fault", UNFIT)
async def test_a_graph_that_can_not_be_served_ends_the_run_with_its_error(harness: WorkerHarness, fault: str) -> None:
    builders.write_batch(harness.data, ROWS.with_columns(carrier=pl.col("distance")))
    model, error = UNFIT[fault]
    assert str(error) in await _refused(harness, model.SerializeToString(), features=NUMBERS)


async def test_a_graph_that_does_not_end_ends_the_run(harness: WorkerHarness) -> None:
    builders.write_batch(harness.data, ROWS.with_columns(carrier=pl.col("distance")))
    made = graph(*endless(), inputs=MATRIX)
    digest = await Artifacts(str(harness.artifacts)).put(made.SerializeToString())
    trigger = builders.trigger("registration").model_copy(update={"artifact": digest})
    bounded = replace(PIPELINE, run=IsolatedRun(1, seconds=2))
    (failed,) = await harness.run((builders.spec(features=NUMBERS), trigger), pipeline=bounded)
    assert isinstance(failed, TrainingFailed)
    assert (failed.attempts, failed.reason) == (1, str(errors.RunTimeoutError(2)))
