"""Trials on inner splits: later rows evaluate, unusable splits are named, and failures are recorded."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from rondo.contracts.tasks.registry import METRICS
from rondo.contracts.training_evidence import Evidence
from rondo.contracts.vocabularies import NoteCode
from rondo.trainer.dataset.training_set import TrainingSet
from rondo.trainer.errors import LeakError, NoInnerSplitError
from rondo.trainer.estimators.lightgbm import LightGbm
from rondo.trainer.evaluation.candidate import ChampionModel
from rondo.trainer.evaluation.training_evidence import assemble_evidence
from rondo.trainer.run import Proposal, Trial
from rondo.trainer.search.inner_splits import inner_splits
from rondo.trainer.search.objective import Objective, prepare_objective
from rondo.trainer.worker.app import pipeline

from tests.trainer import builders

SPACE = {"num_leaves": [2, 31]}
SPEC = builders.spec(trainer={"search": {"trials": 3, "space": SPACE}})
ROWS = builders.rows(1_000)
EARLY = pl.int_range(pl.len()) < 800


@pytest.fixture(scope="module")
def objective() -> Objective:
    return prepare_objective(SPEC, LightGbm(1), METRICS["roc_auc"], ROWS)


def proposal(**params: Any) -> Proposal:
    return Proposal(6, params, "search")


def training_set(rows: pl.DataFrame = ROWS) -> TrainingSet:
    return TrainingSet(rows, (), builders.START, None, builders.START)


def test_each_split_is_evaluated_on_the_rows_that_follow_it() -> None:
    splits = list(inner_splits(SPEC, ROWS))
    assert [(split.training.height, split.validation.height) for split in splits] == [
        (700, 100),
        (800, 100),
        (900, 100),
    ]
    assert all(split.training["departure"][-1] < split.validation["departure"][0] for split in splits)
    large = list(inner_splits(builders.spec(trainer={"holdout": 0.5}), ROWS))
    assert [(split.training.height, split.validation.height) for split in large] == [(400, 200), (600, 200), (800, 200)]


def test_rows_of_one_event_time_are_in_one_part() -> None:
    shared = ROWS.with_columns(departure=pl.col("departure").dt.truncate("70m"))
    for split in inner_splits(SPEC, shared):
        assert split.training["departure"][-1] < split.validation["departure"][0]


def test_a_trial_has_a_value_for_each_split(objective: Objective) -> None:
    trial = objective.run(proposal(num_leaves=7), [])
    assert (trial.state, trial.number, trial.origin, trial.params) == ("complete", 6, "search", {"num_leaves": 7})
    assert len(trial.values) == 3
    assert trial.value is not None
    assert 0.7 < trial.value < 1
    assert trial.seconds > 0
    assert objective.run(proposal(num_leaves=7), []).values == trial.values


def test_a_trial_that_is_worse_than_half_of_the_others_ends_early(objective: Objective) -> None:
    others = [Trial(n, {}, "search", (0.99, 0.99, 0.99)) for n in range(5)]
    trial = objective.run(proposal(), others)
    assert (trial.state, len(trial.values)) == ("pruned", 1)


def test_what_the_library_refuses_ends_the_trial_as_failed(objective: Objective) -> None:
    # Each is allowed alone: LightGBM refuses the two together.
    trial = objective.run(proposal(is_unbalance=True, scale_pos_weight=2.0), [])
    assert trial.state == "failed"
    assert trial.detail.startswith("FitFailedError: ")
    refused = objective.run(proposal(num_leaves=1), [])
    assert refused.detail.startswith("HyperparameterError: ")


def test_a_split_of_one_class_is_skipped_with_a_note() -> None:
    calm = ROWS.with_columns(late=pl.when(EARLY).then("late").otherwise(0.0))
    objective = prepare_objective(SPEC, LightGbm(1), METRICS["roc_auc"], calm)
    assert len(objective.splits) == 1
    assert [note.code for note in objective.notes] == [NoteCode.SEARCH_SPLIT_SKIPPED] * 2
    assert re.search(r"inner split 2: .*\(100\) .* 0\.0", objective.notes[0].message)
    assert len(objective.run(proposal(), []).values) == 1


def test_a_split_whose_rows_cannot_be_prepared_is_skipped_with_a_note() -> None:
    spec = builders.spec(prepare={"impute": {"distance": "mean"}}, trainer={"search": {"trials": 3, "space": SPACE}})
    late = ROWS.with_columns(distance=pl.when(~EARLY).then("distance"))
    objective = prepare_objective(spec, LightGbm(1), METRICS["roc_auc"], late)
    assert len(objective.splits) == 1
    assert "'distance'" in objective.notes[0].message or "distance" in objective.notes[0].message


def test_without_any_split_the_run_fails() -> None:
    calm = ROWS.with_columns(late=pl.when(pl.int_range(pl.len()) < 600).then("late").otherwise(0.0))
    with pytest.raises(NoInnerSplitError) as refusal:
        prepare_objective(SPEC, LightGbm(1), METRICS["roc_auc"], calm)
    assert len(refusal.value.problems) == 3
    assert "has no rows to search with (" in str(refusal.value)
    assert str(refusal.value).endswith("): widen `trainer.window`, publish more rows, or leave out `trainer.search`")


def test_a_class_that_only_later_rows_have_counts_as_wrong() -> None:
    spec = builders.spec(task="multiclass", trainer={"search": {"trials": 1, "space": SPACE}})
    known = pl.when(pl.col("late") == 1).then(pl.lit("late")).otherwise(pl.lit("early"))
    labels = ROWS.with_columns(
        late=pl.when(EARLY)
        .then(known)
        .otherwise(pl.when(pl.col("late") == 1).then(pl.lit("never")).otherwise(pl.lit("none")))
    )
    objective = prepare_objective(spec, LightGbm(1), METRICS["accuracy"], labels)
    assert objective.run(proposal(), []).values[1] == 0.0


def test_a_leak_is_refused_before_the_first_trial() -> None:
    with pytest.raises(LeakError):
        pipeline(1).plan_search(SPEC, training_set(ROWS.with_columns(distance=pl.col("late"))), None)


@pytest.mark.medium
def test_the_candidate_has_the_parameters_that_were_found_and_the_next_search_begins_with_them() -> None:
    made = pipeline(1)
    search = made.plan_search(SPEC, training_set(), None)
    trials = [Trial(0, {"num_leaves": 31}, "search", (0.9, 0.9, 0.9)), Trial(1, {}, "spec", (0.8, 0.8, 0.8))]
    fitted = made.fit(SPEC, training_set(), found=search.found([*trials, Trial(2, {}, "search", state="failed")]))
    assert fitted.parameters.params == {"n_estimators": 5, "num_leaves": 31}
    assert fitted.parameters.search is not None
    assert fitted.parameters.search.value == pytest.approx(0.9)
    evidence = assemble_evidence(SPEC, training_set(), made.evaluate(SPEC, fitted, None), "code")
    recorded = [(each.number, each.params, each.state, each.value) for each in evidence.trials]
    assert recorded == [
        (0, {"num_leaves": 31}, "complete", pytest.approx(0.9)), (1, {}, "complete", pytest.approx(0.8)),
        (2, {}, "failed", None),
    ]  # fmt: skip
    assert Evidence.model_validate_json(evidence.encode()).trials == evidence.trials
    assert fitted.model != made.fit(SPEC, training_set()).model
    following = made.plan_search(SPEC, training_set(), ChampionModel(1, fitted.model))
    assert following.plan.starts[0] == ("champion", {"num_leaves": 31})


@pytest.mark.medium
def test_steps_of_scikit_learn_are_searched() -> None:
    steps = [
        {"use": "sklearn.impute.SimpleImputer"},
        {"use": "sklearn.linear_model.LogisticRegression", "params": {"max_iter": 50}},
    ]
    spec = builders.spec(trainer={"kind": "sklearn", "params": {}, "steps": steps, "search": {"trials": 3}})
    search = pipeline(1).plan_search(spec, training_set(), None)
    ended: list[Trial] = []
    while found := search.plan.next_proposal(ended):
        ended.append(search.objective.run(found, ended))
    assert [trial.state for trial in ended] == ["complete"] * 3
    assert np.ptp([trial.value for trial in ended]) > 0
    fitted = pipeline(1).fit(spec, training_set(), found=search.found(ended))
    assert fitted.parameters.params.keys() >= {"logisticregression__max_iter"}


def test_the_unit_of_the_cut_is_that_of_the_column() -> None:
    """Event times of every unit can be cut."""
    start = builders.START
    at = pl.datetime_range(start, start + timedelta(minutes=999), "1m", time_unit="ms", eager=True)
    assert [split.training.height for split in inner_splits(SPEC, ROWS.with_columns(departure=at))] == [700, 800, 900]
