"""A training from rows to evidence: the holdout is later, is new to the champion, and equal rows give equal results."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import polars as pl
import pytest
from rondo.contracts.model_metadata import BACKGROUND
from rondo.contracts.spec.model import ModelSpec
from rondo.trainer.dataset.split import MIN_FRESH_ROWS, split
from rondo.trainer.dataset.training_set import RowsLeftOut, TrainingSet
from rondo.trainer.errors import (
    NoFinitePredictionError,
    NoTrainingRowsError,
    OneClassError,
    SharedEventTimeError,
    TooManyClassesError,
)
from rondo.trainer.evaluation.candidate import Candidate, ChampionModel
from rondo.trainer.onnx_graph import builder
from rondo.trainer.onnx_graph.isolated_run import IsolatedRun
from rondo.trainer.onnx_graph.parity import EARLIER_ROWS, LATEST_ROWS, ParityError, compared_rows
from rondo.trainer.onnx_graph.runtime import Scorer
from rondo.trainer.pipeline import Pipeline, UnsupportedTrainerError
from rondo.trainer.preparation.inputs import MissingColumnsError, onnx_inputs
from rondo.trainer.worker.app import pipeline

from tests.trainer.unfaithful import LARGEST, Step, StepEstimator, pipeline_of_steps

if TYPE_CHECKING:
    from numpy.typing import NDArray

pytestmark = pytest.mark.medium
START = datetime(2013, 1, 1, tzinfo=UTC)
LATER = START + timedelta(days=10_000)
SPEC = ModelSpec.model_validate(
    {
        "model": "late",
        "data": {"dataset": "flights", "entity": "id", "event_time": "at", "label": "late"},
        "features": {"carrier": {"type": "category"}, "temp": {"type": "float", "optional": True}},
        "trainer": {"params": {"n_estimators": 10, "num_leaves": 7}, "min_rows": 100},
        "gates": {"slices": ["carrier"], "fairness": {"by": "carrier", "max_gap": 0.5}},
        "retrain": {"policy": "triggers"},
    }
)


def rows(count: int, start: datetime = START) -> pl.DataFrame:
    """Return rows an hour apart. Warmer rows are late more often."""
    rng = np.random.default_rng(int(start.timestamp()) % 1000)
    temp = rng.normal(size=count)
    return pl.DataFrame(
        {
            "id": [f"{start:%m%d}-{i:05}" for i in range(count)],
            "at": [start + timedelta(hours=i) for i in range(count)],
            "carrier": rng.choice(["AA", "UA"], size=count),
            "temp": temp.astype(np.float32),
            "late": (temp + rng.normal(size=count) > 0).astype(np.int8),
        }
    ).cast({"at": pl.Datetime("us", "UTC")})


def run(
    frame: pl.DataFrame,
    spec: ModelSpec = SPEC,
    *,
    champion: ChampionModel | None = None,
    threads: int = 1,
) -> Candidate:
    """Train, and compare with the champion."""
    made = pipeline(threads)
    fitted = made.fit(spec, TrainingSet(frame, (), LATER, None, LATER))
    return made.evaluate(spec, fitted, champion)


def with_trainer(**trainer: object) -> ModelSpec:
    described = SPEC.as_dict()
    return ModelSpec.model_validate(described | {"trainer": described["trainer"] | trainer})


def test_a_candidate_has_its_evidence() -> None:
    candidate = run(rows(1_000))
    assert candidate.evaluation.metrics["roc_auc"] > 0.7
    auc = candidate.profile.performance["roc_auc"]
    assert auc.value == pytest.approx(candidate.evaluation.metrics["roc_auc"], abs=2e-3)
    assert [part.value for part in candidate.evaluation.slices] == ["AA", "UA"]
    assert (candidate.rows_trained, candidate.rows_holdout, candidate.champion) == (900, 100, None)
    assert (candidate.event_time_from, candidate.event_time_to) == (START, START + timedelta(hours=999))
    assert candidate.parity.rows >= 2_000
    assert builder.trained_until(candidate.model) == START + timedelta(hours=899)


def test_the_profile_says_how_features_outputs_and_losses_move() -> None:
    profile = run(rows(1_200)).profile
    assert profile.seconds == 1_199 * 3_600
    assert profile.feature_blocks
    assert profile.output_blocks
    assert profile.loss
    assert (profile.feature_blocks.rows, set(profile.feature_blocks.columns)) == (3, {"carrier", "temp"})
    assert {len(means) for means in profile.feature_blocks.columns["temp"].means.values()} == {400}
    # The holdout has 120 rows.
    assert (profile.output_blocks.rows, set(profile.output_blocks.columns)) == (1, {"score"})
    assert (profile.loss.rows, len(profile.loss.means)) == (1, 120)


def test_the_number_of_threads_changes_nothing() -> None:
    assert run(rows(1_000), threads=2).model == run(rows(1_000), threads=1).model


def test_the_holdout_is_later_than_what_was_learned_and_shares_no_instant_with_it() -> None:
    frame = pl.concat([rows(500), rows(500)]).sort("at")
    parts = split(SPEC, frame)
    assert parts.training["at"][-1] < parts.holdout["at"][0]
    assert parts.training.height + parts.holdout.height == 1_000


def test_both_are_evaluated_on_the_holdout_rows_that_the_champion_was_not_trained_on() -> None:
    frame = rows(8_000)
    champion = run(frame[:5_000]).model
    candidate = run(frame, with_trainer(holdout=0.5), champion=ChampionModel(3, champion))
    later = frame.filter(pl.col("at") > frame["at"][4_499])
    assert (candidate.rows_trained, candidate.rows_holdout, candidate.profile.rows) == (4_000, 3_500, 8_000)
    assert (candidate.champion is not None, candidate.champion_version) == (True, 3)
    for model, evaluation in ((candidate.model, candidate.evaluation), (champion, candidate.champion)):
        scores = Scorer(1)(model, onnx_inputs(SPEC.features, later))["score"]
        brier = float(np.mean((scores.astype(float) - later["late"].to_numpy()) ** 2))
        assert evaluation is not None
        assert evaluation.metrics["brier"] == pytest.approx(brier)


def test_a_champion_trained_on_nearly_all_of_the_holdout_is_evaluated_on_all_of_it() -> None:
    frame = rows(8_000)
    champion = ChampionModel(4, run(frame).model)
    assert run(frame, with_trainer(holdout=0.5), champion=champion).rows_holdout == 4_000


@pytest.mark.parametrize("refit", [True, False])
def test_a_feature_without_information_has_no_importance(refit: bool) -> None:  # noqa: FBT001 - the value itself
    params = {"n_estimators": 100, "num_leaves": 63, "min_child_samples": 2}
    described = with_trainer(refit=refit, params=params).as_dict()
    spec = ModelSpec.model_validate(described | {"features": described["features"] | {"dice": {"type": "float"}}})
    dice = np.random.default_rng(5).normal(size=6_000).astype(np.float32)
    importance = run(rows(6_000).with_columns(dice=pl.Series(dice)), spec).profile.importance
    assert importance
    found = importance.of("dice")
    assert found
    assert found.error > 0
    assert abs(found.loss_increase) < 4 * found.error


def test_where_what_is_new_has_one_class_the_champion_is_judged_on_the_latest_share() -> None:
    frame = rows(8_000)
    champion = ChampionModel(3, run(frame[:6_000]).model)
    calm = frame.with_columns(late=pl.when(pl.int_range(pl.len()) < 5_000).then("late").otherwise(0))
    candidate = run(calm, with_trainer(holdout=0.5), champion=champion)
    assert (candidate.rows_trained, candidate.rows_holdout) == (4_000, 4_000)


def test_where_too_little_is_new_the_champion_is_judged_on_the_latest_share() -> None:
    frame = rows(3_600 + MIN_FRESH_ROWS - 1)
    candidate = run(frame, champion=ChampionModel(3, run(frame[:4_000]).model), spec=with_trainer(holdout=0.5))
    assert candidate.rows_holdout == 2_800


def test_a_champion_whose_artifact_is_gone_is_named_without_figures() -> None:
    candidate = run(rows(1_000), champion=ChampionModel(3, None))
    assert (candidate.champion, candidate.champion_version, candidate.champion_not_comparable) == (None, 3, None)


def test_a_champion_of_other_features_is_named_without_figures() -> None:
    described = SPEC.as_dict()
    other = ModelSpec.model_validate(described | {"features": described["features"] | {"wind": {"type": "float"}}})
    champion = ChampionModel(3, run(rows(1_000).with_columns(wind=pl.lit(1.0)), spec=other).model)
    candidate = run(rows(1_000), champion=champion)
    assert (candidate.champion, candidate.champion_version) == (None, 3)
    assert candidate.champion_not_comparable is not None
    assert "wind" in candidate.champion_not_comparable


def test_one_class_only() -> None:
    late = pl.when(pl.col("at") < START + timedelta(hours=800)).then("late").otherwise(0)
    with pytest.raises(OneClassError) as refusal:
        run(rows(1_000).with_columns(late=late))
    assert (refusal.value.part, refusal.value.rows, refusal.value.found) == ("holdout", 100, [0])


@pytest.mark.parametrize("shared", [1_000, 901])
def test_rows_that_share_their_event_time_leave_none_to_train_on(shared: int) -> None:
    at = pl.when(pl.int_range(pl.len()) < shared).then(pl.lit(START)).otherwise("at").cast(pl.Datetime("us", "UTC"))
    with pytest.raises(SharedEventTimeError) as refusal:
        run(rows(1_000).with_columns(at=at))
    assert (refusal.value.rows, refusal.value.total, refusal.value.time) == (shared, 1_000, START)
    assert "have the same event time" in str(refusal.value)


def test_an_artifact_has_background_values_of_each_feature() -> None:
    written = onnx.load_from_string(run(rows(1_000)).model).metadata_props
    (values,) = [json.loads(entry.value) for entry in written if entry.key == BACKGROUND]
    assert [*values] == [*SPEC.features]


@pytest.mark.parametrize("holdout", [{"holdout_rows": 1_000}, {"holdout_span": "9w"}])
def test_a_holdout_of_all_rows_leaves_none_to_train_on(holdout: dict[str, Any]) -> None:
    with pytest.raises(NoTrainingRowsError) as refusal:
        run(rows(1_000), spec=with_trainer(**holdout))
    assert (refusal.value.rows, {refusal.value.key}) == (1_000, set(holdout))
    assert "of the 1,000 labelled rows, so none is left to train on" in str(refusal.value)


def test_a_missing_column() -> None:
    with pytest.raises(MissingColumnsError) as refusal:
        run(rows(1_000).drop("temp"))
    assert refusal.value.missing == ["temp"]


def test_a_trainer_that_does_not_exist_yet() -> None:
    with pytest.raises(UnsupportedTrainerError) as refusal:
        run(rows(1_000), spec=with_trainer(kind="catboost"))
    assert refusal.value.kind == "catboost"
    assert re.findall("lightgbm|xgboost|sklearn|function", str(refusal.value)) == [
        "lightgbm", "xgboost", "sklearn", "function",
    ]  # fmt: skip


def test_a_model_that_gives_no_number_is_refused() -> None:
    broken: Any = SimpleNamespace(
        check_params=lambda *_: {},
        check_matrix=lambda *_: None,
        fit=lambda *_: SimpleNamespace(predict=lambda matrix: np.where(matrix[:, :1] > 1, np.nan, 0.5)),
    )
    with pytest.raises(NoFinitePredictionError) as refusal:
        Pipeline({"lightgbm": broken}, pipeline(1).functions, Scorer(1), IsolatedRun(1)).fit(
            SPEC, TrainingSet(rows(1_000), (), LATER, None, LATER)
        )
    assert "gives no finite number for a row of the holdout" in str(refusal.value)


@pytest.mark.filterwarnings("ignore:overflow")
def test_an_interval_beyond_float32_is_no_missing_value() -> None:
    spec = of_task("regression", prediction={"interval": 0.9})
    frame = rows(1_000).with_columns(late=pl.when(pl.int_range(pl.len()) % 2 == 0).then(3e38).otherwise(-3e38))
    with pytest.raises(NoFinitePredictionError) as refusal:
        pipeline(1).fit(spec, TrainingSet(frame, (), LATER, None, LATER))
    assert refusal.value.beyond_float32
    assert "its labels are near the largest 32-bit float" in str(refusal.value)
    assert "a number in a larger unit" in str(refusal.value)
    assert "impute" not in str(refusal.value)


def test_the_latest_rows_of_the_holdout_are_predicted_once_and_compared() -> None:
    matrices: list[int] = []

    class Counted(Step):
        def predict(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
            matrices.append(len(matrix))
            return super().predict(matrix)

    estimator: Any = StepEstimator(0.0)
    fit = estimator.fit
    counted: Any = SimpleNamespace(
        check_params=estimator.check_params,
        check_matrix=estimator.check_matrix,
        fit=lambda *given: Counted(fit(*given).bound, 1e-3),
    )
    made = Pipeline({"lightgbm": counted}, pipeline(1).functions, Scorer(1), IsolatedRun(1))
    spec = with_trainer(holdout_rows=LATEST_ROWS + 100, refit=False)
    frame = rows(LATEST_ROWS + 1_000)
    with pytest.raises(ParityError):  # at an edge
        made.fit(spec, TrainingSet(frame, (), LATER, None, LATER))
    assert matrices[0] == LATEST_ROWS + 100
    assert sum(matrices[1:]) < LATEST_ROWS
    # Of rows that differ alike the first is shown, and the latest rows are first.
    wrong = frame.with_columns(
        temp=pl.when(pl.int_range(pl.len()) == frame.height - 10).then(pl.lit(LARGEST, pl.Float32)).otherwise("temp"),
        carrier=pl.when(pl.int_range(pl.len()) == frame.height - 10).then(pl.lit("wrong")).otherwise("carrier"),
    )
    with pytest.raises(ParityError) as refusal:
        made.fit(spec, TrainingSet(wrong, (), LATER, None, LATER))
    assert refusal.value.row["carrier"] == "wrong"


@pytest.mark.parametrize("holdout", [200, LATEST_ROWS, LATEST_ROWS + 3_000])
def test_rows_from_before_the_holdout_are_compared(holdout: int) -> None:
    """The holdout may have more rows than are compared."""
    frame = rows(LATEST_ROWS + 6_000).with_columns(temp=pl.int_range(pl.len()).cast(pl.Float32))
    found = compared_rows(SPEC.features, frame, seed=7, held_out=holdout)["temp"].to_list()
    assert found[:LATEST_ROWS] == list(range(6_000, frame.height))
    end = frame.height - max(holdout, LATEST_ROWS)
    assert found[LATEST_ROWS : LATEST_ROWS + EARLIER_ROWS] == list(range(end - EARLIER_ROWS, end))


def test_a_fault_in_rows_from_before_a_long_holdout_is_found() -> None:
    spec = with_trainer(holdout_rows=LATEST_ROWS + EARLIER_ROWS + 100, refit=False)
    frame = rows(LATEST_ROWS + EARLIER_ROWS + 1_000)
    faulty = pl.int_range(pl.len()) == 800
    wrong = frame.with_columns(
        temp=pl.when(faulty).then(pl.lit(LARGEST, pl.Float32)).otherwise("temp"),
        carrier=pl.when(faulty).then(pl.lit("of the training")).otherwise("carrier"),
    )
    with pytest.raises(ParityError) as refusal:
        pipeline_of_steps(1e-3).fit(spec, TrainingSet(wrong, (), LATER, None, LATER))
    assert refusal.value.row["carrier"] == "of the training"


def test_edges_of_every_feature_are_compared() -> None:
    compared = compared_rows(SPEC.features, rows(10), seed=7)
    assert {None, "", "AA"} <= set(compared["carrier"])
    assert {np.inf, -np.inf, np.float32(3.4028235e38)} <= set(compared["temp"].drop_nulls())
    assert compared.filter(pl.all_horizontal(pl.all().is_null())).height


KINDS = ["ash", "elm", "oak"]


def of_task(task: str, **parts: object) -> ModelSpec:
    return ModelSpec.model_validate(SPEC.as_dict() | {"task": task, "gates": {}} | parts)


def test_a_model_of_several_classes() -> None:
    kind = pl.col("temp").rank("ordinal") * 3 // 1_001
    frame = rows(1_000).with_columns(late=kind.cast(pl.Int64).replace_strict(range(3), KINDS))
    gates = {"accuracy": {"min": 0.5, "not_worse_than_champion": 0.1}, "slices": ["carrier"]}
    spec = of_task("multiclass", gates=gates)
    champion = run(frame[:800], spec)
    candidate = run(frame, spec, champion=ChampionModel(1, champion.model))
    assert candidate.evaluation.metrics["accuracy"] > 0.9
    assert set(candidate.evaluation.metrics) == {
        "accuracy", "balanced_accuracy", "f1_macro", "log_loss", "roc_auc", "average_precision", "brier", "ece", "mcc",
    }  # fmt: skip
    assert candidate.profile.task.labels == ("ash", "elm", "oak")
    assert set(candidate.profile.outputs) == {"label", "score"}
    assert [each.metric for each in candidate.comparisons] == ["accuracy"]
    assert candidate.comparisons[0].low <= candidate.comparisons[0].loss <= candidate.comparisons[0].high
    found = Scorer(1)(candidate.model, onnx_inputs(spec.features, frame))
    assert [candidate.profile.task.labels[index] for index in found["label"][:5]] == frame["late"][:5].to_list()
    np.testing.assert_allclose(found["probabilities"].sum(axis=1), 1.0, atol=1e-5)


def test_a_class_that_only_the_holdout_has_counts_as_wrong() -> None:
    known = pl.when(pl.col("temp") > 3).then(pl.lit("AA")).otherwise("carrier")
    kind = pl.when(pl.int_range(pl.len()) < 950).then(known).otherwise(pl.lit("oak"))
    candidate = run(rows(1_000).with_columns(late=kind), of_task("multiclass"))
    assert candidate.profile.task.labels == ("AA", "UA")
    assert candidate.evaluation.metrics["accuracy"] == pytest.approx(0.5, abs=0.05)
    assert candidate.profile.performance["accuracy"].value == candidate.evaluation.metrics["accuracy"]


def test_more_classes_than_a_model_may_have() -> None:
    with pytest.raises(TooManyClassesError) as refusal:
        run(rows(1_000).with_columns(late=pl.col("id")), of_task("multiclass"))
    assert refusal.value.found == 900
    assert "group the rare ones, or use `task: regression` if the label is a number" in str(refusal.value)


def test_a_model_of_numbers_with_an_interval() -> None:
    frame = rows(4_000).with_columns(late=pl.col("temp").cast(pl.Float64) * 1_000 + 5_000 + pl.col("late"))
    gates = {"rmse": {"max": 500, "not_worse_than_champion": 0.1}, "fairness": {"by": "carrier", "max_gap": 50}}
    spec = of_task("regression", gates=gates, prediction={"interval": 0.9})
    champion = run(frame[:2_000], spec)
    candidate = run(frame, spec, champion=ChampionModel(1, champion.model))
    assert candidate.evaluation.metrics["r2"] > 0.8
    assert candidate.evaluation.metrics["interval_coverage"] == pytest.approx(0.9, abs=0.05)
    assert "low_coverage" not in {note.code for note in candidate.notes}
    for name in ("mae", "rmse", "r2"):
        assert candidate.profile.performance[name].value == pytest.approx(candidate.evaluation.metrics[name], rel=2e-3)
    assert set(candidate.profile.outputs) == {"value"}
    assert [each.metric for each in candidate.comparisons] == ["rmse"]
    assert {part.value for part in candidate.evaluation.slices} == {"AA", "UA"}


def test_the_rows_that_an_interval_is_chosen_on_do_not_evaluate_it() -> None:
    """The errors grow in the last rows, so an interval from earlier errors covers fewer of them than it states."""
    noise = pl.Series(np.random.default_rng(4).normal(size=4_000) * np.where(np.arange(4_000) < 3_800, 1, 5) * 1_000)
    frame = rows(4_000).with_columns(late=pl.col("temp").cast(pl.Float64) * 100 + noise)
    candidate = run(frame, of_task("regression", prediction={"interval": 0.9}))
    assert candidate.rows_holdout == 200
    assert candidate.evaluation.metrics["interval_coverage"] < 0.6
    (note,) = (each for each in candidate.notes if each.code == "low_coverage")
    covered = f"{candidate.evaluation.metrics['interval_coverage']:.1%}"
    assert re.search(f"{covered} of the 200 rows .* states 0\\.9: ", note.message)


def test_an_interval_that_few_rows_choose_is_the_largest_error_with_a_note() -> None:
    frame = rows(100).with_columns(late=pl.col("temp").cast(pl.Float64) * 100 + pl.col("late"))
    candidate = run(frame, of_task("regression", prediction={"interval": 0.99}))
    assert "few_interval_rows" in {note.code for note in candidate.notes}
    interval = candidate.profile.task.interval
    assert interval is not None
    assert np.isfinite(interval.half_width)
    assert candidate.profile.task.chosen_on == 5


def test_the_rows_that_a_threshold_is_chosen_on_do_not_evaluate_it() -> None:
    cost = {"cost": {"false_positive": 1, "false_negative": 5}}
    both = [run(rows(4_000), of_task("binary", prediction=prediction)) for prediction in ({}, cost)]
    assert [candidate.rows_holdout for candidate in both] == [400, 200]


@pytest.mark.parametrize(
    ("prediction", "between"),
    [
        ({"threshold": 0.3}, (0.3, 0.3)),
        # The cheapest threshold of calibrated scores is the share of the costs of a false positive.
        ({"cost": {"false_positive": 1, "false_negative": 5}}, (0.05, 0.35)),
        ({"cost": {"false_positive": 5, "false_negative": 1}}, (0.65, 0.95)),
    ],
    ids=["stated", "costly misses", "costly alarms"],
)
def test_the_label_of_the_graph_follows_the_threshold(
    prediction: dict[str, object], between: tuple[float, float]
) -> None:
    frame = rows(4_000)
    model = run(frame, of_task("binary", prediction=prediction)).model
    threshold = builder.read_task(model).threshold
    assert threshold is not None
    assert np.float32(between[0]) <= threshold <= np.float32(between[1])
    found = Scorer(1)(model, onnx_inputs(SPEC.features, frame))
    np.testing.assert_array_equal(found["label"], found["score"] >= np.float32(threshold))
    assert 0 < found["label"].mean() < 1


def test_both_models_are_judged_by_the_costs_of_the_spec() -> None:
    """The champion was trained before the spec had costs."""
    frame, cost = rows(4_000), {"false_positive": 1.0, "false_negative": 5.0}
    champion = run(frame[:2_000], of_task("binary"))
    assert "cost" not in champion.evaluation.metrics
    gates = {"cost": {"max": 0.5, "not_worse_than_champion": 0.0}}
    spec = of_task("binary", prediction={"cost": cost}, gates=gates)
    candidate = run(frame, spec, champion=ChampionModel(1, champion.model))
    label, late = candidate_labels(candidate, frame), frame.tail(200)["late"].to_numpy()
    expected = ((label == 1) & (late == 0)).mean() + 5 * ((label == 0) & (late == 1)).mean()
    assert candidate.evaluation.metrics["cost"] == pytest.approx(expected)
    assert candidate.profile.performance["cost"].value == pytest.approx(expected, abs=0.01)
    assert candidate.champion is not None
    assert candidate.champion.metrics["cost"] > candidate.evaluation.metrics["cost"]
    assert [each.metric for each in candidate.comparisons] == ["cost"]


def candidate_labels(candidate: Candidate, frame: pl.DataFrame) -> NDArray[Any]:
    """Return the labels that a candidate gives the rows that evaluate it."""
    return Scorer(1)(candidate.model, onnx_inputs(SPEC.features, frame.tail(candidate.rows_holdout)))["label"]


def test_a_champion_of_another_task_is_named_without_figures() -> None:
    champion = ChampionModel(3, run(rows(1_000)).model)
    candidate = run(
        rows(1_000).with_columns(late=pl.col("temp") + pl.col("late")), of_task("regression"), champion=champion
    )
    assert (candidate.champion, candidate.champion_version) == (None, 3)
    assert candidate.champion_not_comparable is not None
    assert "binary" in candidate.champion_not_comparable


def test_rows_that_lack_a_feature_of_the_spec_are_a_note_of_the_candidate() -> None:
    training_set = TrainingSet(rows(1_000), (), LATER, None, LATER, RowsLeftOut(4_500, {"temp": 4_500}))
    (note,) = (each for each in pipeline(1).fit(SPEC, training_set).notes if each.code == "rows_without_feature")
    assert note.feature == "temp"
    assert re.search(f"^4,500 .* {SPEC.data.dataset} .* 'temp' .* 1,000 rows remain", note.message)
    assert f"`rondo publish {SPEC.data.dataset} FILE --batch-id NEW`" in note.message
