"""A run with `policy: auto`, an in-memory queue, real Delta tables, real artifacts and real training."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from rondo.chassis.artifacts import Artifacts
from rondo.contracts.events.training import ModelTrained, TrainingSkipped
from rondo.contracts.training_evidence import Evidence
from rondo.trainer.adaptation.comparability import comparability_digest
from rondo.trainer.adaptation.record import ChunkScore
from rondo.trainer.adaptation.training_window import ScoredChunk, Unconfirmed
from rondo.trainer.dataset.columns import micros
from rondo.trainer.onnx_graph import builder
from rondo.trainer.worker import training_history

from tests.trainer import builders

if TYPE_CHECKING:
    from datetime import datetime

    from tests.trainer.worker_harness import WorkerHarness

pytestmark = pytest.mark.medium

PARAMS = {"n_estimators": 20, "num_leaves": 7, "min_data_in_leaf": 10}
CHANGE = builders.START + timedelta(minutes=3_000)


COSTS = {"training_cost": 1.0, "error_cost": 1.0}


def auto(**changes: Any) -> Any:
    trainer = {"params": PARAMS, "min_rows": 100} | changes.pop("trainer", {})
    retrain = {"policy": "auto", "on": [], "cooldown": "0s"} | changes.pop("retrain", {})
    return builders.spec(trainer=trainer, retrain=retrain, **changes)


def flights(count: int, start: int = 0, change: datetime = CHANGE) -> pl.DataFrame:
    """Return flights, one per minute, from a given minute on. From `change` on the label is reversed."""
    rows = builders.rows(count, builders.START + timedelta(minutes=start), f"{start}-", seed=start + 1)
    late = pl.when(pl.col("departure") >= change).then(1 - pl.col("late")).otherwise(pl.col("late"))
    return rows.with_columns(late.alias("late"))


def new_labels(name: str, **changes: Any) -> Any:
    return builders.trigger("new_labels", 60, name).model_copy(update=changes)


async def train(harness: WorkerHarness, spec: Any, name: str, *, promote: int | None = None, **trigger: Any) -> Any:
    """Run a training, and promote its candidate as a version."""
    (ended,) = await harness.run((spec, new_labels(name, **trigger)))
    if promote is not None:
        assert isinstance(ended, ModelTrained), getattr(ended, "detail", getattr(ended, "reason", ""))
        harness.set_champion(promote, ended.digest)
    return ended


async def test_the_first_training_compares_strategies_and_serves_a_model_of_all_rows(harness: WorkerHarness) -> None:
    builders.write_batch(harness.data, flights(2_000))
    trained = await train(harness, auto(), "one", kind="data")
    summary = trained.summary
    assert (summary.rows_trained, summary.rows_holdout, summary.rows_weighed) == (1_800, 200, 0)
    adaptation = summary.adaptation
    assert (adaptation.strategy, adaptation.rows, adaptation.refitted) == ("since", 2_000, True)
    assert [(each.strategy, each.rows) for each in adaptation.scores] == [
        ("since", 1_800), ("fading", 1_800), ("last 800", 800),
    ]  # fmt: skip
    assert (adaptation.window_start, adaptation.suspected_since) == (None, None)
    content = await Artifacts(str(harness.artifacts)).get(trained.digest)
    assert builder.trained_until(content) == builders.START + timedelta(minutes=1_999)
    stored = Evidence.model_validate_json(await Artifacts(str(harness.artifacts)).get(trained.evidence))
    assert stored.adaptation == adaptation
    assert stored.profile.rows == 2_000
    known = harness.store.trainings["flight-delay"].known
    assert (known.rows, known.fitted, known.state.first) == (2_000, 2_000, 2_000)
    assert set(known.state.record[0].scores) == {"since", "fading", "last 800"}
    assert known.loss == next(each.loss for each in adaptation.scores if each.strategy == "since")


async def test_the_rows_since_the_champion_are_held_out_and_the_champion_is_scored_too(harness: WorkerHarness) -> None:
    builders.write_batch(harness.data, flights(2_000))
    await train(harness, auto(), "one", kind="data", promote=1)
    builders.write_batch(harness.data, flights(300, 2_000), "b2")
    trained = await train(harness, auto(), "two")
    summary = trained.summary
    assert (summary.rows_trained, summary.rows_holdout) == (2_000, 300)
    assert {each.strategy for each in summary.adaptation.scores} == {"since", "fading", "last 800", "champion"}
    assert summary.champion_version == 1
    assert summary.champion_metrics is not None
    known = harness.store.trainings["flight-delay"].known
    # The first holdout, and the second in chunks of a tenth of the first training.
    assert [each.scores["since"].rows for each in known.state.record] == [200, 150, 150]
    assert known.gain is not None


async def test_a_label_delay_leaves_a_gap_before_the_holdout(harness: WorkerHarness) -> None:
    spec = auto(data={"label_delay": "50m"})
    builders.write_batch(harness.data, flights(2_000))
    await train(harness, spec, "one", kind="data", promote=1)
    builders.write_batch(harness.data, flights(400, 2_000), "b2")
    summary = (await train(harness, spec, "two")).summary
    assert summary.rows_holdout == 350
    assert summary.adaptation.gap_rows == 49
    assert summary.rows_trained == 2_001


async def test_growth_that_events_report_and_rows_do_not_show_trains_nothing(harness: WorkerHarness) -> None:
    builders.write_batch(harness.data, flights(2_000))
    await train(harness, auto(), "one", kind="data", promote=1)
    builders.write_batch(harness.data, flights(150, 2_000), "b2")
    harness.store.labels["flight-delay"] = 400
    skipped = await train(harness, auto(), "two")
    assert isinstance(skipped, TrainingSkipped)
    assert skipped.reason == "not_enough_data"
    assert "150 of 200" in skipped.detail
    assert harness.begun == 1
    # The count is corrected: 50 more are needed.
    assert harness.store.labels["flight-delay"] - harness.store.trainings["flight-delay"].labelled == 150


@pytest.mark.sampled(1)
@pytest.mark.parametrize(("retrain", "gain", "factor"), [(COSTS, 0.0, 2), (COSTS, 0.01, 1), ({}, 0.0, 1)])
async def test_after_a_fit_without_gain_the_next_one_waits_for_more_rows_and_says_so(
    harness: WorkerHarness, monkeypatch: pytest.MonkeyPatch, retrain: dict[str, float], gain: float, factor: int
) -> None:
    monkeypatch.setattr(training_history, "gain_of_fits", lambda *_: gain)
    spec, far = auto(retrain=retrain), builders.START + timedelta(days=100)
    builders.write_batch(harness.data, flights(2_000, 0, far))
    await train(harness, spec, "one", kind="data", promote=1)
    before = harness.store.trainings["flight-delay"].known.growth
    builders.write_batch(harness.data, flights(900, 2_000, far), "b2")
    trained = await train(harness, spec, "two", promote=2)
    growth = harness.store.trainings["flight-delay"].known.growth
    assert growth == pytest.approx(factor * before)
    shown = f"the next training follows {growth:.0%} more labelled rows"
    assert (shown in trained.summary.adaptation.reason) == (factor == 2)
    builders.write_batch(harness.data, flights(100, 2_900, far), "b3")
    skipped = await train(harness, spec, "three")
    assert skipped.reason == "not_enough_data"
    assert (f"it follows {growth:.0%} more" in skipped.detail) == (factor == 2)


async def test_after_a_confirmed_change_the_rows_before_it_are_left_out(harness: WorkerHarness) -> None:
    builders.write_batch(harness.data, flights(3_000))
    spec = auto(retrain=COSTS)
    await train(harness, spec, "one", kind="data", promote=1)
    stored = harness.store.trainings["flight-delay"]
    stored.known = replace(stored.known, gain=0.5, growth=0.4)
    builders.write_batch(harness.data, flights(800, 3_000), "b2")
    trained = await train(harness, spec, "two", kind="suspicion", since=CHANGE + timedelta(minutes=20), promote=2)
    adaptation = trained.summary.adaptation
    assert adaptation.window_start == CHANGE + timedelta(minutes=20)
    assert (adaptation.suspected_since, adaptation.rows) == (adaptation.window_start, 780)
    assert {each.strategy: each.rows for each in adaptation.scores} == {"since": 480, "window": 3_500}
    known = harness.store.trainings["flight-delay"].known
    assert (known.fitted, known.state.record, known.state.leader) == (780, (), "since")
    assert known.gain is None, "what fits gained before the change says nothing now"
    assert known.growth == 0.1, "the trainer backs off no longer"
    assert trained.summary.event_time_from == adaptation.window_start
    assert trained.summary.metrics["roc_auc"] > 0.7 > trained.summary.champion_metrics["roc_auc"]

    # From then on the window grows, and ninety more rows are enough.
    builders.write_batch(harness.data, flights(100, 3_800), "b3")
    later = (await train(harness, auto(), "three")).summary.adaptation
    assert (later.strategy, later.rows, later.window_start) == ("since", 880, adaptation.window_start)
    assert {each.strategy for each in later.scores} == {"since", "all", "fading", "last 800"}


async def test_labels_alone_show_a_change_that_nobody_suspected(harness: WorkerHarness) -> None:
    """The suspicion is late or absent: a new version may serve before the outcomes of the last one are known."""
    builders.write_batch(harness.data, flights(3_000))
    await train(harness, auto(), "one", kind="data", promote=1)
    builders.write_batch(harness.data, flights(600, 3_000), "b2")
    adaptation = (await train(harness, auto(), "two")).summary.adaptation
    assert adaptation.window_start == adaptation.suspected_since == CHANGE
    assert adaptation.rows == 600


async def test_without_a_change_a_suspicion_leaves_the_window(harness: WorkerHarness) -> None:
    far = builders.START + timedelta(days=100)
    builders.write_batch(harness.data, flights(3_000, change=far))
    await train(harness, auto(), "one", kind="data", promote=1)
    # The rows since are noise for a model: it has few, and is worse than that of all rows.
    builders.write_batch(harness.data, flights(330, 3_000, far), "b2")
    spec = auto(trainer={"params": PARAMS | {"num_leaves": 31, "min_data_in_leaf": 2}})
    trained = await train(harness, spec, "two", kind="suspicion", since=builders.START + timedelta(minutes=3_100))
    adaptation = trained.summary.adaptation
    assert (adaptation.window_start, adaptation.strategy, adaptation.rows) == (None, "since", 3_330)
    assert adaptation.suspected_since == builders.START + timedelta(minutes=3_100)
    harness.set_champion(2, trained.digest)
    # The rows since then have doubled, and a chunk is new. The growth would need 333.
    builders.write_batch(harness.data, flights(300, 3_330, far), "b3")
    again = (await train(harness, spec, "three")).summary.adaptation
    assert again.suspected_since == adaptation.suspected_since


async def test_another_trainer_begins_a_new_record_and_keeps_the_window(harness: WorkerHarness) -> None:
    builders.write_batch(harness.data, flights(2_000))
    await train(harness, auto(), "one", kind="data", promote=1)
    stored = harness.store.trainings["flight-delay"]
    window = micros(builders.START + timedelta(minutes=100))
    # Losses of another scale: beside them those of the next training would have risen beyond chance.
    low = ScoredChunk(0, 1, {"since": ChunkScore(200, 0.01, (0.01,) * 4), "all": ChunkScore(200, 0.01, (0.01,) * 4)})
    again = Unconfirmed(window, rows=9_000)
    state = replace(stored.known.state, since=window, leader="all", record=(low,), unconfirmed=again)
    stored.known = replace(stored.known, state=state, growth=0.4, gain=0.5, loss=0.01)
    builders.write_batch(harness.data, flights(400, 2_000), "b2")
    changed = auto(trainer={"params": PARAMS | {"num_leaves": 15}})
    summary = (await train(harness, changed, "two")).summary
    assert summary.adaptation.suspected_since is None
    assert summary.adaptation.strategy == "since"
    known = harness.store.trainings["flight-delay"].known
    assert (known.basis, known.growth, known.state.since) == (comparability_digest(changed), 0.1, window)
    assert known.state.unconfirmed == again
    assert known.loss is not None
    assert known.loss > 0.05, "of the new trainer"
    assert [each.scores["since"].rows for each in known.state.record] == [200, 200]


async def test_a_champion_that_is_much_better_stays_unless_somebody_asks(harness: WorkerHarness) -> None:
    builders.write_batch(harness.data, flights(2_000))
    await train(harness, auto(), "one", kind="data", promote=1)
    builders.write_batch(harness.data, flights(600, 2_000), "b2")
    worse = auto(trainer={"params": {"n_estimators": 1, "learning_rate": 0.001}})
    skipped = await train(harness, worse, "two")
    assert isinstance(skipped, TrainingSkipped)
    assert (skipped.reason, skipped.run_id) == ("no_gain", "run-two")
    assert skipped.adaptation is not None
    assert skipped.adaptation.strategy == "champion"
    (champion,) = (each for each in skipped.adaptation.scores if each.strategy == "champion")
    assert champion.advantage > champion.needed > 0
    known = harness.store.trainings["flight-delay"].known
    assert (known.rows, known.fitted) == (2_600, 2_000)
    assert isinstance(await train(harness, worse, "three", kind="manual"), ModelTrained)


@pytest.mark.parametrize(
    ("trainer", "trained", "held_out", "rows"),
    [
        ({"window": "1000m"}, 700, 300, 1_000),
        # The champion was fitted to the other 160 rows of the holdout.
        ({"holdout": 0.2}, 1_840, 300, 2_300),
        pytest.param({"holdout_rows": 460}, 1_840, 300, 2_300, marks=pytest.mark.slow),
        pytest.param({"holdout_span": "460m"}, 1_840, 300, 2_300, marks=pytest.mark.slow),
        # Of a large share, too: the model that is evaluated is fitted to 920 rows.
        ({"holdout": 0.6}, 920, 300, 2_300),
        ({"refit": False}, 2_000, 300, 2_000),
    ],
)
async def test_a_window_a_holdout_and_no_refit_are_obeyed(
    harness: WorkerHarness, trainer: dict[str, Any], trained: int, held_out: int, rows: int
) -> None:
    spec = auto(trainer=trainer)
    builders.write_batch(harness.data, flights(2_000))
    await train(harness, spec, "one", kind="data")
    before = auto(trainer={key: value for key, value in trainer.items() if key != "refit"})
    champion = await train(harness, before, "as if refitted", kind="manual")
    harness.set_champion(1, champion.digest)
    builders.write_batch(harness.data, flights(300, 2_000), "b2")
    summary = (await train(harness, spec, "two", kind="manual")).summary
    assert (summary.rows_trained, summary.rows_holdout, summary.adaptation.rows) == (trained, held_out, rows)
    assert summary.adaptation.refitted is ("refit" not in trainer)
    assert ("window" in trainer) == ([each.strategy for each in summary.adaptation.scores] == ["all"])


async def test_a_manual_training_without_new_rows_has_no_champion_to_compare_with(harness: WorkerHarness) -> None:
    builders.write_batch(harness.data, flights(2_000))
    first = await train(harness, auto(), "one", kind="data", promote=1)
    again = await train(harness, auto(), "two", kind="manual")
    assert again.digest == first.digest
    stored = Evidence.model_validate_json(await Artifacts(str(harness.artifacts)).get(again.evidence))
    assert (stored.champion, stored.champion_version) == (None, 1)
    assert stored.champion_not_comparable


async def test_an_ensemble_has_the_rows_of_the_strategy_and_is_not_refitted(harness: WorkerHarness) -> None:
    spec = auto(trainer={"ensemble": 2})
    builders.write_batch(harness.data, flights(2_000))
    await train(harness, spec, "one", kind="data", promote=1)
    builders.write_batch(harness.data, flights(600, 2_000), "b2")
    summary = (await train(harness, spec, "two")).summary
    assert [member.model_version for member in summary.members] == [None, 1]
    assert summary.adaptation is not None
    assert not summary.adaptation.refitted
    assert summary.rows_weighed > 0


async def test_a_search_runs_once_on_the_rows_of_the_strategy_that_leads(harness: WorkerHarness) -> None:
    spec = auto(trainer={"search": {"trials": 2, "space": {"num_leaves": [7, 15]}}})
    builders.write_batch(harness.data, flights(2_000))
    trained = await train(harness, spec, "one", kind="data")
    search = trained.summary.parameters.search
    assert (search.planned, search.trials) == (2, 2)
    assert len(trained.summary.adaptation.scores) == 3


async def test_what_a_rare_class_leaves_out_of_the_latest_rows_is_held_out_too(harness: WorkerHarness) -> None:
    rows = flights(2_000).with_columns(
        late=pl.when(pl.col("departure") < builders.START + timedelta(minutes=1_600)).then(pl.col("late")).otherwise(0)
    )
    builders.write_batch(harness.data, rows)
    summary = (await train(harness, auto(), "one", kind="data")).summary
    assert 400 < summary.rows_holdout <= 410
