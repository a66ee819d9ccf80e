"""The end of an attempt at a run, with an in-memory queue, real Delta tables, real artifacts and real training."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import onnx
import polars as pl
import pytest
from rondo.chassis.artifacts import Artifacts
from rondo.contracts.events.training import ModelTrained, TrainingFailed, TrainingSkipped
from rondo.contracts.topics import BY_NAME
from rondo.trainer.worker.app import pipeline

from tests.trainer import builders
from tests.trainer.worker_harness import PIPELINE, FakePipeline, NoPauses, WorkerHarness

if TYPE_CHECKING:
    from rondo.trainer.pipeline import Pipeline


# A function runs in a process of its own.
pytestmark = pytest.mark.process


async def test_a_run_ends_with_a_model_and_complete_evidence(harness: WorkerHarness) -> None:
    builders.write_batch(harness.data, builders.rows(2000))
    (trained,) = await harness.run((builders.spec(), builders.trigger()))
    assert isinstance(trained, ModelTrained)
    content = await Artifacts(str(harness.artifacts)).get(trained.digest)
    assert trained.size == len(content)
    evidence = trained.summary
    assert (evidence.rows_holdout, evidence.seed, evidence.code_version) == (200, 7, "v1")
    assert evidence.rows_trained >= 1800
    assert evidence.as_of == builders.trigger().at
    assert evidence.champion_metrics is None
    assert set(evidence.environment) > {"python", "platform", "lightgbm", "onnx", "onnxruntime"}
    assert "unknown" not in evidence.environment.values()


async def test_the_same_rows_give_the_same_bytes_and_the_champion_is_evaluated_too(harness: WorkerHarness) -> None:
    builders.write_batch(harness.data, builders.rows(2000))
    (first,) = await harness.run((builders.spec(), builders.trigger(name="one")))
    harness.set_champion(4, first.digest)
    (second,) = await harness.run((builders.spec(), builders.trigger("manual", name="two")))
    assert second.digest == first.digest
    assert second.summary.training_set_digest == first.summary.training_set_digest
    assert second.summary.champion_version == 4
    assert second.summary.champion_metrics is not None


async def test_a_champion_whose_artifact_is_gone_is_named_without_figures(harness: WorkerHarness) -> None:
    builders.write_batch(harness.data, builders.rows(2000))
    harness.set_champion(4, builders.DIGEST)
    (trained,) = await harness.run((builders.spec(), builders.trigger()))
    assert (trained.summary.champion_metrics, trained.summary.champion_version) == (None, 4)


async def test_the_candidate_before_may_have_become_the_champion_by_the_end(harness: WorkerHarness) -> None:
    builders.write_batch(harness.data, builders.rows(2000))
    (first,) = await harness.run((builders.spec(), builders.trigger(name="one")))
    harness.set_champion(4, first.digest)
    harness.queue.promote = lambda: harness.set_champion(5, first.digest)
    (second,) = await harness.run((builders.spec(), builders.trigger("manual", name="two")))
    assert second.summary.champion_metrics is not None
    assert second.summary.champion_version == 5


@pytest.mark.sampled(1)
@pytest.mark.parametrize(("promotions", "judged"), [(0, [4]), (1, [4, 5]), (1_000_000, [4, 5, 6])])
async def test_a_champion_that_changes_during_the_evaluation_is_evaluated_too_within_bounds(
    harness: WorkerHarness, promotions: int, judged: list[int]
) -> None:
    builders.write_batch(harness.data, builders.rows(2000))
    (first,) = await harness.run((builders.spec(), builders.trigger(name="one")))
    harness.set_champion(4, first.digest)
    seen: list[int] = []

    def evaluates_while_another_is_promoted(spec: Any, learned: Any, champion: Any) -> Any:
        seen.append(champion.version)
        harness.set_champion(4 + min(len(seen), promotions), first.digest)
        return PIPELINE.evaluate(spec, learned, champion)

    pipeline = FakePipeline(evaluate=evaluates_while_another_is_promoted)
    (second,) = await harness.run((builders.spec(), builders.trigger("manual", name="two")), pipeline=pipeline)
    assert (seen, second.summary.champion_version) == (judged, judged[-1])


@pytest.mark.slow
async def test_a_candidate_of_long_categories_is_an_event_that_its_topic_takes(harness: WorkerHarness) -> None:
    rows = builders.rows(2000)
    columns = [f"text_{n:02}" for n in range(20)]
    long = (rows["flight_id"].str.slice(1).cast(pl.Int64) % 500).cast(pl.String) + "x" * 300
    builders.write_batch(harness.data, rows.with_columns(long.alias(name) for name in columns))
    spec = builders.spec(features={name: {"type": "category"} for name in columns}, gates={"slices": columns})
    (first,) = await harness.run((spec, builders.trigger(name="one")))
    harness.set_champion(1, first.digest)
    (second,) = await harness.run((spec, builders.trigger("manual", name="two")))
    assert len(second.model_dump_json().encode()) < BY_NAME[ModelTrained.topic].max_message_bytes // 2


async def test_too_few_rows_skip_the_run_before_it_is_announced(harness: WorkerHarness) -> None:
    builders.write_batch(harness.data, builders.rows(26_398))
    spec = builders.spec(trainer={"min_rows": 40_000})
    (skipped,) = await harness.run((spec, builders.trigger()))
    assert isinstance(skipped, TrainingSkipped)
    assert (skipped.reason, skipped.run_id) == ("not_enough_data", "run-drift-1")
    assert "26,398 of 40,000 rows" in skipped.detail
    assert harness.begun == 0


async def test_rows_outside_the_window_do_not_make_it_enough(harness: WorkerHarness) -> None:
    builders.write_batch(harness.data, builders.rows(3000))
    spec = builders.spec(trainer={"window": "1d", "min_rows": 2000})
    (skipped,) = await harness.run((spec, builders.trigger()))
    assert "1,440 of 2,000 labelled rows from 2013-01-02 01:59 to 2013-01-03 01:59" in skipped.detail
    assert "waiting for more batches or outcomes" in skipped.detail
    assert skipped.reason == "not_enough_data"


async def test_a_skipped_run_says_how_many_rows_lack_a_feature_and_what_to_do(harness: WorkerHarness) -> None:
    rows = builders.rows(3000)
    known = pl.when(pl.int_range(3000) < 1000).then(pl.lit(0.5)).cast(pl.Float32)
    builders.write_batch(harness.data, rows.with_columns(known.alias("wind")))
    spec = builders.spec(features={"wind": {"type": "float"}}, trainer={"min_rows": 2000})
    (skipped,) = await harness.run((spec, builders.trigger()))
    assert (skipped.reason, "1,000 of 2,000 labelled rows" in skipped.detail) == ("not_enough_data", True)
    assert "2,000 published rows of flights have no 'wind' and are left out: 1,000 rows remain" in skipped.detail
    assert "`rondo publish flights FILE --batch-id NEW`" in skipped.detail


async def test_a_training_joins_features_and_records_where_they_are_from(harness: WorkerHarness) -> None:
    builders.write_batch(harness.data, builders.rows(2000))
    builders.write_weather(harness.data, 40)
    spec = builders.with_wind()
    harness.store.specs[spec.model] = builders.spec_applied(spec, sources=(builders.WEATHER,))
    (trained,) = await harness.run((spec, builders.trigger()))
    assert isinstance(trained, ModelTrained)
    assert trained.summary.sources == (builders.WEATHER,)
    assert [(each.table, each.version) for each in trained.summary.data] == [
        ("datasets/flights", 0), ("datasets/weather", 0),
    ]  # fmt: skip
    assert "wind" in [each.feature for each in trained.summary.importance]


async def test_a_run_of_a_source_that_its_spec_says_nothing_of_fails_with_what_to_do(harness: WorkerHarness) -> None:
    builders.write_batch(harness.data, builders.rows(2000))
    (ended,) = await harness.run((builders.with_wind(), builders.trigger()))
    assert isinstance(ended, TrainingFailed)
    assert "does not say when its rows are known" in ended.reason
    assert "change the spec and apply it again" in ended.reason


async def test_a_skipped_run_says_how_many_rows_lack_a_joined_feature_and_what_to_do(harness: WorkerHarness) -> None:
    builders.write_batch(harness.data, builders.rows(3000))
    builders.write_weather(harness.data, 20)
    spec = builders.with_wind()
    harness.store.specs[spec.model] = builders.spec_applied(spec, sources=(builders.WEATHER,))
    (skipped,) = await harness.run((spec, builders.trigger()))
    # The last reading is of 18 hours, and counts for four.
    assert (skipped.reason, "1,321 of 2,000 labelled rows" in skipped.detail) == ("not_enough_data", True)
    assert "1,679 published rows of flights have no 'wind' from weather that was known at" in skipped.detail
    assert "are left out: 1,321 rows remain" in skipped.detail
    assert "Publish earlier values, raise `max_age`, or make it `optional` in the spec" in skipped.detail


async def test_a_skipped_run_says_how_many_rows_are_outside_the_limits_and_what_to_do(harness: WorkerHarness) -> None:
    windy = pl.when(pl.int_range(3000) < 1000).then(pl.lit(0.5)).otherwise(pl.lit(7.0)).cast(pl.Float32)
    builders.write_batch(harness.data, builders.rows(3000).with_columns(windy.alias("wind")))
    spec = builders.spec(features={"wind": {"type": "float", "max": 1}}, trainer={"min_rows": 2000})
    (skipped,) = await harness.run((spec, builders.trigger()))
    assert (skipped.reason, "1,000 of 2,000 labelled rows" in skipped.detail) == ("not_enough_data", True)
    assert "2,000 published rows of flights have values of 'wind' that the spec does not allow" in skipped.detail
    assert "are left out: 1,000 rows remain" in skipped.detail
    assert "widen `min`, `max` or `values` in the spec" in skipped.detail


async def test_a_training_notes_the_rows_outside_the_limits(harness: WorkerHarness) -> None:
    windy = pl.when(pl.int_range(3000) < 2500).then(pl.lit(0.5)).otherwise(pl.lit(7.0)).cast(pl.Float32)
    builders.write_batch(harness.data, builders.rows(3000).with_columns(windy.alias("wind")))
    (trained,) = await harness.run((builders.spec(features={"wind": {"type": "float", "max": 1}}), builders.trigger()))
    assert isinstance(trained, ModelTrained)
    (note,) = (note for note in trained.summary.notes if note.code == "rows_outside_limits")
    assert note.feature == "wind"


async def test_a_fault_of_spec_or_data_fails_the_run_with_a_message(harness: WorkerHarness) -> None:
    builders.write_batch(harness.data, builders.rows(2000).with_columns(late=1.0))
    failed = await harness.run(
        (builders.spec(data={"dataset": "flight"}), builders.trigger(name="dataset")),
        (builders.spec(), builders.trigger(name="label")),
        (builders.spec(features={"wind": {"type": "float"}}), builders.trigger(name="feature")),
    )
    builders.write_batch(harness.data, builders.rows(2000, seed=5), "b2")
    failed += await harness.run((builders.spec(trainer={"params": {"num_leafs": 7}}), builders.trigger(name="param")))
    assert all(isinstance(end, TrainingFailed) and end.attempts == 1 for end in failed)
    dataset, label, feature, param = (end.reason for end in failed)
    assert "no dataset 'flight'" in dataset
    assert "no column wind" in feature
    assert "two classes are needed" in label
    assert "`num_leaves`" in param


async def test_drift_without_new_labelled_rows_is_skipped(harness: WorkerHarness) -> None:
    builders.write_batch(harness.data, builders.rows(2000))
    spec = builders.spec()
    (trained,) = await harness.run((spec, builders.trigger(name="one")))
    assert isinstance(trained, ModelTrained)
    again = await harness.run(*((spec, builders.trigger(day=60 + n, name=f"drift-{n}")) for n in range(2, 5)))
    assert [(end.reason, end.run_id) for end in again] == [("no_new_data", f"run-drift-{n}") for n in range(2, 5)]
    assert all("run-one trained on the same 2,000 labelled rows up to 2013-01-02 09:19" in end.detail for end in again)
    assert all("publish newer rows, or send the outcomes of predictions" in end.detail for end in again)
    assert harness.begun == 1

    # More labelled rows, another spec, and a request by a person each train.
    builders.write_batch(harness.data, builders.rows(100, builders.START + timedelta(days=9), "new"), "b2")
    more = await harness.run(
        (spec, builders.trigger(day=70, name="rows")),
        (builders.spec(trainer={"seed": 8}), builders.trigger(day=71, name="spec")),
        (builders.spec(trainer={"seed": 8}), builders.trigger("manual", day=72, name="by-hand")),
    )
    assert [type(end) for end in more] == [ModelTrained] * 3
    digests = [end.digest for end in more]
    assert trained.digest != digests[0] != digests[1] == digests[2]


OWN = Path(__file__).parents[1] / "functions" / "own_model.py"


def own_functions(folder: Path, source: str) -> Pipeline:
    (folder / "own").mkdir(parents=True, exist_ok=True)
    (folder / "own" / "train.py").write_text(source)
    return pipeline(1, folder)


async def test_a_function_of_the_users_own_trains_and_its_code_is_in_the_evidence(
    harness: WorkerHarness, tmp_path: Path
) -> None:
    builders.write_batch(harness.data, builders.rows(2000))
    spec = builders.spec(trainer={"kind": "function", "function": "own.train:linear", "params": {}})
    made = own_functions(tmp_path / "functions", OWN.read_text())
    (first,) = await harness.run((spec, builders.trigger(name="one")), pipeline=made)
    assert isinstance(first, ModelTrained), getattr(first, "reason", "")
    assert first.summary.metrics["roc_auc"] > 0.7
    function = first.summary.function
    assert function is not None
    assert (function.function, function.package) == ("own.train:linear", "own")

    # The same rows, spec and code train nothing. Other code does.
    (again,) = await harness.run((spec, builders.trigger(name="two")), pipeline=made)
    assert (again.reason, again.run_id) == ("no_new_data", "run-two")
    made = own_functions(tmp_path / "functions", OWN.read_text().replace("solved * 4", "solved * 3"))
    (other,) = await harness.run((spec, builders.trigger(name="three")), pipeline=made)
    assert isinstance(other, ModelTrained)
    assert other.summary.function is not None
    assert other.summary.function.digest != function.digest
    assert other.digest != first.digest


@pytest.mark.slow
async def test_a_function_that_fails_ends_its_run_with_what_to_do_and_the_worker_goes_on(
    harness: WorkerHarness, tmp_path: Path
) -> None:
    builders.write_batch(harness.data, builders.rows(2000))
    made = own_functions(tmp_path / "functions", OWN.read_text())
    trainers = [{"kind": "function", "function": f"own.train:{name}", "params": {}} for name in ("fails", "crashes")]
    runs = [(builders.spec(trainer=each), builders.trigger(name=each["function"])) for each in trainers]
    failed, died, trained = await harness.run(*runs, (builders.spec(), builders.trigger(name="last")), pipeline=made)
    assert isinstance(failed, TrainingFailed)
    assert failed.attempts == 1
    assert re.search(r"own.train:fails .* KeyError: 'weight' \(own/train.py, line \d+", failed.reason)
    assert "SIGABRT" in died.reason
    assert isinstance(trained, ModelTrained)


async def test_without_a_folder_of_functions_the_run_names_the_setting(harness: WorkerHarness) -> None:
    builders.write_batch(harness.data, builders.rows(2000))
    spec = builders.spec(trainer={"kind": "function", "function": "own.train:linear", "params": {}})
    (failed,) = await harness.run((spec, builders.trigger()))
    assert "RONDO_FUNCTIONS" in failed.reason
    assert harness.begun == 0


@pytest.mark.slow
async def test_an_ensemble_has_the_models_of_the_last_champions(harness: WorkerHarness) -> None:
    spec, found = builders.spec(trainer={"ensemble": 3, "window": "3d"}), []
    for index in range(4):
        frame = builders.rows(2000, builders.START + timedelta(days=2 * index), f"{index}-", index)
        builders.write_batch(harness.data, frame, f"b{index}")
        (trained,) = await harness.run((spec, builders.trigger(day=60 + index, name=f"run {index}")))
        assert isinstance(trained, ModelTrained), getattr(trained, "reason", "")
        harness.set_champion(index + 1, trained.digest)
        found.append(trained)
    members = [[member.model_version for member in trained.summary.members] for trained in found]
    assert members == [[], [None, 1], [None, 2, 1], [None, 3, 2]]
    last = found[-1].summary
    assert [member.digest for member in last.members] == [None, found[2].digest, found[1].digest]
    assert sum(member.weight for member in last.members) == pytest.approx(1)
    assert (last.champion_version, last.rows_weighed, last.rows_holdout) == (3, 172, 172)
    content = await Artifacts(str(harness.artifacts)).get(found[-1].digest)
    nodes = onnx.load_from_string(content).graph.node
    assert sum(node.op_type == "TreeEnsembleRegressor" for node in nodes) == 3


async def test_a_corrected_outcome_is_new_data(harness: WorkerHarness) -> None:
    builders.write_batch(harness.data, builders.rows(2000))
    (trained,) = await harness.run((builders.spec(), builders.trigger(name="one")))
    corrected = builders.rows(2000).head(1).with_columns(late=1 - pl.col("late"))
    builders.write_batch(harness.data, corrected, "b2")
    (again,) = await harness.run((builders.spec(), builders.trigger(name="two")))
    assert isinstance(again, ModelTrained)
    assert again.digest != trained.digest


async def test_an_unexpected_error_is_tried_three_times(harness: WorkerHarness) -> None:
    builders.write_batch(harness.data, builders.rows(2000))

    def breaks(*_: Any) -> Any:
        message = "no such instruction"
        raise TypeError(message)

    pauses = NoPauses()
    (failed,) = await harness.run(
        (builders.spec(), builders.trigger()), pipeline=FakePipeline(fit=breaks), pause=pauses
    )
    assert (harness.attempts, pauses.seen) == ({"drift-1": 3}, [1, 2])  # type: ignore[attr-defined]
    assert "TypeError: no such instruction" in failed.reason


async def test_a_feature_of_an_unknown_type_fails_the_run_before_the_data_is_read(harness: WorkerHarness) -> None:
    spec = builders.spec(features={"at": {"type": "timestamp"}})
    (failed,) = await harness.run((spec, builders.trigger()))
    assert isinstance(failed, TrainingFailed)
    assert failed.attempts == 1
    assert failed.reason == (
        "the feature at has the type 'timestamp', which this release of the trainer does not know: upgrade the trainer,"
        " then train again"
    )
