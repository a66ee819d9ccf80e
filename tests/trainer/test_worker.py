"""What becomes of a run: in memory, but for real Delta tables, real artifacts and a real training."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from rondo.chassis.artifacts import Artifacts
from rondo.contracts.events.training import ModelTrained, TrainingFailed, TrainingSkipped
from rondo.contracts.topics import BY_NAME
from rondo.trainer.runs.run import Serving

from tests.trainer.bench import TRAINING, Bench, Faked, MemoryRuns, Pauses

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def bench(data: Path, tmp_path: Path) -> Iterator[Bench]:
    with ThreadPoolExecutor(1) as executor:
        yield Bench(MemoryRuns(), data, tmp_path / "artifacts", executor)


async def test_a_run_ends_with_a_model_and_complete_evidence(bench: Bench, make: Any) -> None:
    make.write_batch(bench.data, make.rows(2000))
    (trained,) = await bench.run((make.spec(), make.trigger()))
    assert isinstance(trained, ModelTrained)
    content = await Artifacts(str(bench.artifacts)).get(trained.digest)
    assert trained.size == len(content)
    evidence = trained.evidence
    assert (evidence.rows_holdout, evidence.seed, evidence.code_version) == (200, 7, "v1")
    assert evidence.rows_trained >= 1800
    assert evidence.as_of == make.trigger().at
    assert evidence.champion is None
    assert set(evidence.environment) > {"python", "platform", "lightgbm", "onnx", "onnxruntime"}
    assert "unknown" not in evidence.environment.values()


async def test_the_same_run_makes_the_same_bytes_and_the_champion_is_judged_beside_it(bench: Bench, make: Any) -> None:
    make.write_batch(bench.data, make.rows(2000))
    (first,) = await bench.run((make.spec(), make.trigger(name="one")))
    bench.runs.champion = Serving(4, first.digest)
    (second,) = await bench.run((make.spec(), make.trigger(name="two")))
    assert second.digest == first.digest
    assert second.evidence.training_set_digest == first.evidence.training_set_digest
    assert second.evidence.champion_version == 4
    assert second.evidence.champion is not None


async def test_a_champion_whose_artifact_is_gone_is_named_without_figures(bench: Bench, make: Any) -> None:
    make.write_batch(bench.data, make.rows(2000))
    bench.runs.champion = Serving(4, make.digest)
    (trained,) = await bench.run((make.spec(), make.trigger()))
    assert (trained.evidence.champion, trained.evidence.champion_version) == (None, 4)


async def test_the_candidate_before_may_have_become_the_champion_by_the_end(bench: Bench, make: Any) -> None:
    make.write_batch(bench.data, make.rows(2000))
    (first,) = await bench.run((make.spec(), make.trigger(name="one")))
    bench.runs.champion, bench.runs.decided = Serving(4, first.digest), Serving(5, first.digest)
    (second,) = await bench.run((make.spec(), make.trigger(name="two")))
    assert second.evidence.champion is not None
    assert second.evidence.champion_version == 5


@pytest.mark.parametrize(("promotions", "judged"), [(0, [4]), (1, [4, 5]), (1_000_000, [4, 5, 6])])
async def test_a_champion_that_changes_during_the_judgement_is_judged_too_within_bounds(
    bench: Bench, make: Any, promotions: int, judged: list[int]
) -> None:
    make.write_batch(bench.data, make.rows(2000))
    (first,) = await bench.run((make.spec(), make.trigger(name="one")))
    bench.runs.champion, seen = Serving(4, first.digest), []

    def judges_while_somebody_promotes(spec: Any, learned: Any, champion: Any) -> Any:
        seen.append(champion.version)
        bench.runs.champion = Serving(4 + min(len(seen), promotions), first.digest)
        return TRAINING.judge(spec, learned, champion)

    training = Faked(judge=judges_while_somebody_promotes)
    (second,) = await bench.run((make.spec(), make.trigger(name="two")), training=training)
    assert (seen, second.evidence.champion_version) == (judged, judged[-1])


async def test_a_candidate_of_long_categories_is_an_event_that_its_topic_takes(bench: Bench, make: Any) -> None:
    rows = make.rows(2000)
    columns = [f"text_{n:02}" for n in range(20)]
    long = (rows["flight_id"].str.slice(1).cast(pl.Int64) % 500).cast(pl.String) + "x" * 300
    make.write_batch(bench.data, rows.with_columns(long.alias(name) for name in columns))
    spec = make.spec(features={name: {"type": "category"} for name in columns}, gates={"slices": columns})
    (first,) = await bench.run((spec, make.trigger(name="one")))
    bench.runs.champion = Serving(1, first.digest)
    (second,) = await bench.run((spec, make.trigger(name="two")))
    assert len(second.model_dump_json().encode()) < BY_NAME[ModelTrained.topic].max_message_bytes // 2


async def test_too_few_rows_skip_the_run_before_it_is_said_to_have_started(bench: Bench, make: Any) -> None:
    make.write_batch(bench.data, make.rows(26_398))
    spec = make.spec(trainer={"min_rows": 40_000})
    (skipped,) = await bench.run((spec, make.trigger()))
    assert isinstance(skipped, TrainingSkipped)
    assert (skipped.reason, skipped.run_id) == ("not_enough_data", "run-drift-1")
    assert skipped.detail == "26,398 of 40,000 rows; waiting for more batches"
    assert bench.runs.begun == 0


async def test_rows_outside_the_window_do_not_make_it_enough(bench: Bench, make: Any) -> None:
    make.write_batch(bench.data, make.rows(3000))
    spec = make.spec(trainer={"window": "1d", "min_rows": 2000})
    (skipped,) = await bench.run((spec, make.trigger()))
    assert skipped.detail == "1,440 of 2,000 rows; waiting for more batches"


async def test_what_a_person_did_wrong_ends_the_run_with_a_sentence(bench: Bench, make: Any) -> None:
    make.write_batch(bench.data, make.rows(2000).with_columns(late=1.0))
    failed = await bench.run(
        (make.spec(data={"dataset": "flight"}), make.trigger(name="dataset")),
        (make.spec(), make.trigger(name="label")),
        (make.spec(features={"wind": {"type": "float"}}), make.trigger(name="feature")),
    )
    make.write_batch(bench.data, make.rows(2000, seed=5), "b2")
    failed += await bench.run((make.spec(trainer={"params": {"num_leafs": 7}}), make.trigger(name="param")))
    assert all(isinstance(end, TrainingFailed) and end.attempts == 1 for end in failed)
    dataset, label, feature, param = (end.reason for end in failed)
    assert dataset == "there is no dataset 'flight': publish a batch to it, or correct `data.dataset` in the spec"
    assert feature == (
        "the dataset 'flights' has no column wind: publish batches that have it, take it out of the spec, or mark the"
        " feature as optional"
    )
    assert "both 0 and 1 are needed" in label
    assert "`num_leafs` is not a LightGBM parameter: did you mean `num_leaves`?" in param


async def test_what_breaks_without_a_known_cause_is_tried_three_times(bench: Bench, make: Any) -> None:
    make.write_batch(bench.data, make.rows(2000))

    def breaks(*_: Any) -> Any:
        message = "no such instruction"
        raise TypeError(message)

    pauses = Pauses()
    (failed,) = await bench.run((make.spec(), make.trigger()), training=Faked(learn=breaks), pause=pauses)
    assert (bench.runs.attempts, pauses.seen) == ({"drift-1": 3}, [1, 2])  # type: ignore[attr-defined]
    assert failed.reason == (
        "it broke 3 times, last with TypeError: no such instruction; nothing in the spec or the data is known to cause"
        " this, and the trainer's log has the details"
    )
