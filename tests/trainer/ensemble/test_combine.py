"""A candidate that is the weighted mean of the newly fitted model and those of the last champions, in one graph."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import polars as pl
import pytest
from rondo.contracts.spec.model import ModelSpec
from rondo.registry.registration.onnx_check import check_onnx
from rondo.trainer.dataset.training_set import TrainingSet
from rondo.trainer.ensemble import combine as combining
from rondo.trainer.ensemble.members import FITTED_UNTIL, MEMBERS
from rondo.trainer.evaluation.candidate import ChampionModel
from rondo.trainer.onnx_graph import builder
from rondo.trainer.onnx_graph.runtime import Scorer
from rondo.trainer.preparation.inputs import onnx_inputs
from rondo.trainer.worker.app import pipeline

from tests.trainer.test_kinds import LATER, START, TASKS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray
    from rondo.trainer.evaluation.candidate import FittedCandidate
    from rondo.trainer.preparation.inputs import Inputs

pytestmark = pytest.mark.medium
FEATURES = {"carrier": {"type": "category"}, "temp": {"type": "float", "optional": True}}
SMALL = {"params": {"n_estimators": 20, "num_leaves": 7, "min_data_in_leaf": 10}}
PIPELINE = pipeline(1)
BREAK = 1_500
ROWS = 3_000


@cache
def rows(task: str = "binary") -> pl.DataFrame:
    """Return rows an hour apart. Warm rows are late in the first half and in the last 200 rows, else cold rows are."""
    rng = np.random.default_rng(3)
    temp, carrier = rng.normal(size=ROWS).astype(np.float32), rng.choice(["AA", "UA"], ROWS)
    sign = np.where((np.arange(ROWS) < BREAK) | (np.arange(ROWS) >= ROWS - 200), 1, -1)
    value = temp * sign * 0.6 + rng.normal(size=ROWS) / 3 + (carrier == "AA") * 1.6 - 0.8
    labels = {
        "binary": pl.Series((value > 0).astype(float)),
        "multiclass": pl.Series(np.array(["ash", "elm", "oak"])[np.digitize(value, [-0.6, 0.6])]),
        "regression": pl.Series(value * 100),
    }
    frame = pl.DataFrame({"carrier": carrier, "temp": temp}).with_columns(
        at=pl.datetime_range(START, START + timedelta(hours=ROWS - 1), "1h", time_unit="us", eager=True),
        id=pl.int_range(ROWS, eager=True).cast(pl.String),
        label=labels[task],
    )
    return frame.with_columns(temp=pl.when(pl.int_range(ROWS) % 20 > 0).then("temp"))


def spec(task: str = "binary", ensemble: int = 4, **parts: Any) -> ModelSpec:
    content: dict[str, Any] = {
        "model": "late",
        "task": task,
        "data": {"dataset": "flights", "entity": "id", "event_time": "at", "label": "label"},
        "features": FEATURES,
        "trainer": SMALL | {"ensemble": ensemble},
        "retrain": {"policy": "triggers"},
    }
    return ModelSpec.model_validate(content | parts)


def fit(frame: pl.DataFrame, asked: ModelSpec, *champions: ChampionModel) -> FittedCandidate:
    return PIPELINE.fit(asked, TrainingSet(frame, (), LATER, None, LATER), champions)


@cache
def single(task: str, first: int, last: int) -> bytes:
    """Return a model that is fitted to the rows of one condition."""
    return fit(rows(task)[first:last], spec(task, 1)).model


def champions(task: str = "binary") -> tuple[ChampionModel, ChampionModel]:
    """Return two champions, the newest first: one fitted to late cold rows, and one to late warm rows."""
    return ChampionModel(7, single(task, BREAK, 2_500)), ChampionModel(4, single(task, 0, BREAK))


@cache
def ensemble(task: str = "binary") -> FittedCandidate:
    return fit(rows(task)[BREAK:], spec(task), *champions(task))


def metadata(model: bytes) -> dict[str, str]:
    return {entry.key: entry.value for entry in onnx.load_from_string(model).metadata_props}


def notes(fitted: FittedCandidate) -> str:
    return "\n".join(note.message for note in fitted.notes if note.code.startswith("ensemble"))


@pytest.mark.sampled(1)
@pytest.mark.parametrize("task", TASKS)
def test_a_model_of_earlier_conditions_helps_where_they_come_back(task: str) -> None:
    frame, made = rows(task), ensemble(task)
    assert [member.model_version for member in made.members] == [None, 7, 4]
    weights = {member.model_version: member.weight for member in made.members}
    assert weights[4] == max(weights.values())
    assert sum(weights.values()) == pytest.approx(1)
    assert made.parity.rows > 1_000
    assert made.parity.max_difference < 1e-6
    # The models of champions are graphs.
    assert made.parity.native is (weights[None] > 0)
    check_onnx(made.model, len(made.model))
    alone = fit(frame[BREAK:], spec(task, 1))
    later = frame.tail(75)
    errors = [_error(task, model, later) for model in (made.model, alone.model)]
    assert errors[0] < errors[1] / 2


def _error(task: str, model: bytes, frame: pl.DataFrame) -> float:
    found, label = Scorer(1)(model, onnx_inputs(spec(task).features, frame)), frame["label"].to_numpy()
    if task == "regression":
        return float(np.mean((found["value"] - label) ** 2))
    if task == "binary":
        return float(np.mean((found["score"] - label) ** 2))
    return float(np.mean(np.array(builder.read_task(model).labels)[found["label"]] != label))


@pytest.mark.parametrize("task", TASKS)
def test_the_graph_is_the_weighted_mean_of_its_members(task: str) -> None:
    made, frame = ensemble(task), rows(task).tail(500)
    name = {"binary": "score", "multiclass": "probabilities", "regression": "value"}[task]
    given = onnx_inputs(spec(task).features, frame)
    alone = fit(rows(task)[BREAK:], spec(task, 1)).model
    graphs = (alone, *(champion.model for champion in champions(task)))
    weights = [member.weight for member in made.members]
    mean = sum(
        weight * Scorer(1)(graph or b"", given)[name].astype(float)
        for weight, graph in zip(weights, graphs, strict=True)
    )
    np.testing.assert_allclose(Scorer(1)(made.model, given)[name], mean, rtol=1e-5, atol=1e-6)


def test_a_member_predicts_each_row_of_the_holdout_once() -> None:
    predicted: list[int] = []

    class Counting(Scorer):
        def loaded(self, model: bytes) -> Callable[[Inputs], Mapping[str, NDArray[Any]]]:
            score = super().loaded(model)

            def counted(given: Inputs) -> Mapping[str, NDArray[Any]]:
                predicted.append(len(next(iter(given.values()))))
                return score(given)

            return counted

    frame = rows()[BREAK:]
    newest = champions()[0]
    fitted = replace(PIPELINE, score=Counting(1)).fit(spec(), TrainingSet(frame, (), LATER, None, LATER), [newest])
    assert len(fitted.members) == 2
    compared = fitted.parity.rows
    # The member predicts the holdout, and the rows of the comparison, once for its check and once for the mean. The
    # graph predicts these, too, and then rows for the importance.
    assert predicted[:4] == [150, compared, compared, compared]
    assert set(predicted[4:]) <= {75, 150}
    assert len(predicted) == 6


def test_no_row_both_weighs_and_evaluates() -> None:
    made, frame = ensemble(), rows()[BREAK:]
    assert (made.rows_trained, made.rows_weighed, made.holdout.height) == (1_350, 75, 75)
    assert made.holdout["at"].to_list() == frame["at"].tail(75).to_list()
    assert len(made.scored) == 75
    assert builder.trained_until(made.model) == frame["at"][-76], "its weights are from rows up to then"
    assert metadata(made.model)[FITTED_UNTIL] == frame["at"][1_349].isoformat()
    candidate = PIPELINE.evaluate(spec(), made, None)
    assert (candidate.rows_holdout, candidate.profile.rows) == (75, 1_500)
    assert re.search(r"\b3 of 3 models, .* 75 rows ", notes(made))


def test_the_same_rows_and_champions_give_the_same_bytes_whatever_the_threads() -> None:
    again = pipeline(2).fit(spec(), TrainingSet(rows()[BREAK:], (), LATER, None, LATER), champions())
    assert again.model == ensemble().model
    assert [member.digest for member in again.members] == [member.digest for member in ensemble().members]


def test_the_model_that_an_ensemble_was_fitted_with_is_a_member_of_the_next_and_the_mean_is_not() -> None:
    first = ChampionModel(8, ensemble().model)
    made = fit(rows()[BREAK + 10 :], spec(), first, *champions())
    assert [member.model_version for member in made.members] == [None, 8, 7, 4]
    assert made.members[1].digest is not None
    versions = metadata(made.model)[MEMBERS]
    assert versions == "[null, 8, 7, 4]"
    # Four models and no more: with the mean of three inside there would be six.
    nodes = onnx.load_from_string(made.model).graph.node
    assert sum(node.op_type == "TreeEnsembleRegressor" for node in nodes) == 4
    alone = Scorer(1)(fit(rows()[BREAK:], spec(ensemble=1)).model, onnx_inputs(spec().features, rows()))
    taken = combining.read_member(8, first.model, spec(), ("0", "1"), Scorer(1))
    np.testing.assert_allclose(taken.predict(rows())[:, 0], alone["score"], atol=1e-6)


def test_a_member_that_is_no_better_than_chance_is_dropped() -> None:
    calm = rows()[BREAK : ROWS - 200]
    wrong = fit(rows()[:BREAK].with_columns(label=1 - pl.col("label")), spec(ensemble=1)).model
    made = fit(calm, spec(), ChampionModel(4, wrong))
    assert [member.weight for member in made.members] == [1, 0]
    assert MEMBERS not in metadata(made.model)
    alone = fit(calm, spec(ensemble=1))
    assert onnx.load_from_string(made.model).graph == onnx.load_from_string(alone.model).graph
    assert "this one 100.0%, version 4 0.0%" in notes(made)
    # What it was fitted with can be a member later, whatever became of the others.
    assert combining.read_member(5, made.model, spec(), ("0", "1"), Scorer(1)).fitted_until == calm["at"][1_169]


def test_without_champions_a_candidate_is_evaluated_on_the_whole_holdout() -> None:
    made, alone = (fit(rows()[:1_000], spec(ensemble=size)) for size in (4, 1))
    assert (made.holdout.height, made.rows_weighed, made.members) == (100, 0, ())
    assert made.scored.outputs["score"].tolist() == alone.scored.outputs["score"].tolist()


OTHERS: list[tuple[str, Any]] = [
    ("its artifact is missing or damaged", None),
    ("its features are others: temp", {"features": {"carrier": FEATURES["carrier"]}}),
    ("its feature temp may not be missing", {"features": FEATURES | {"temp": {"type": "float"}}}),
    ("its task is regression", {"task": "regression"}),
    ("its classes are no, yes", {"data": {"positive": "yes", "negative": "no"}}),
    ("it was fitted to rows that determine the weights", {"rows": ROWS}),
]


@pytest.mark.parametrize(("reason", "change"), OTHERS)
def test_a_champion_that_cannot_be_a_member_is_left_out_with_a_note(reason: str, change: Any) -> None:
    other = None
    if change is not None:
        frame = rows()[: change.get("rows", 1_000)]
        parts = {key: value for key, value in change.items() if key != "rows"}
        if "data" in parts:
            parts["data"] = spec().as_dict()["data"] | parts["data"]
        other = fit(frame.drop_nulls(), spec(parts.pop("task", "binary"), 1, **parts)).model
    made = fit(rows()[BREAK : ROWS - 200], spec(), ChampionModel(9, other))
    assert f"version 9 is left out of the ensemble: {reason}" in notes(made)
    assert (made.members, made.rows_weighed) == ((), 0)


def test_members_of_other_operators_are_converted() -> None:
    """Dates need operators of version 20. The model without dates has operators of version 15."""
    dated = rows().with_columns(day=pl.col("at").dt.to_string("%Y-%m-%d"))
    features = FEATURES | {"day": {"type": "category", "optional": True}}
    old = fit(dated[:BREAK], spec(ensemble=1, features=features)).model
    made = fit(dated[BREAK:], spec(features=features, prepare={"dates": {"day": ["weekday"]}}), ChampionModel(4, old))
    assert [member.model_version for member in made.members] == [None, 4]
    assert {entry.domain: entry.version for entry in onnx.load_from_string(made.model).opset_import}[""] == 20
    assert made.parity.max_difference < 1e-6


def test_members_are_dropped_until_the_models_are_small_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    most = 2 * len(single("binary", 0, BREAK))
    monkeypatch.setattr(combining, "MAX_BYTES", most)
    made = fit(rows()[BREAK:], spec(), *champions())
    kept = [member.model_version for member in made.members if member.weight > 0]
    assert None in kept
    assert 4 in kept
    assert re.search(f"version 7 is left out .* {most:,} bytes", notes(made))
    assert sum(member.weight for member in made.members) == pytest.approx(1)


def test_a_holdout_of_one_event_time_cannot_be_divided() -> None:
    frame = rows()[:1_000].with_columns(
        at=pl.when(pl.int_range(1_000) < 900).then("at").otherwise(START + timedelta(days=99))
    )
    made = fit(frame, spec(), ChampionModel(4, single("binary", 0, BREAK)))
    assert "be divided" in notes(made)
    assert made.holdout.height == 100
