"""The fourth task in every package. The packages only know it from the registry.

`tests/test_fourth_task.py` runs these checks, in a process whose registry has the task.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock

import numpy as np
import orjson
import polars as pl
import pytest
from rondo.client.cli.outcome_checks import label_of
from rondo.client.cli.versions.models import _version_cells
from rondo.client.event_summaries import summarize
from rondo.client.prediction import shown
from rondo.client.registration.conversion import convert
from rondo.client.registration.errors import NotConvertibleError
from rondo.contracts.events import logs
from rondo.contracts.events.monitoring import WindowClosed
from rondo.contracts.events.predictions import OutcomeObserved, PredictionMade
from rondo.contracts.events.training import ModelTrained
from rondo.contracts.spec.file import SpecError, parse_spec
from rondo.contracts.tasks.registry import METRICS, TASKS
from rondo.contracts.training_evidence import Evidence
from rondo.docgen.schemas import schema_of
from rondo.flights.report.scores import FirstModel
from rondo.ingestion.outcomes.parser import parse_outcomes
from rondo.ingestion.validation.arrow_columns import RawBatch
from rondo.ingestion.validation.contract import contract_of
from rondo.ingestion.validation.decision import AcceptedBatch, decide
from rondo.monitor.evidence.reference import Reference
from rondo.monitor.model_state import ModelState
from rondo.monitor.ports import ChampionRevision
from rondo.monitor.state.codec import decode_state, encode_state, nothing_stored
from rondo.monitor.stream.log_messages import read_outcomes, read_predictions
from rondo.registry.gates.champion_comparison import ComparedChampion
from rondo.registry.gates.gates import evaluate_gates
from rondo.registry.registration.onnx_check import check_onnx, check_task
from rondo.serving.models.onnx_runtime import OnnxModel
from rondo.serving.prediction_log.batch import VersionLog
from rondo.serving.requests.rows import Rows
from rondo.serving.stream.encode import encode_answers
from rondo.trainer.dataset import columns
from rondo.trainer.dataset.training_set import TrainingSet
from rondo.trainer.evaluation.candidate import ChampionModel
from rondo.trainer.evaluation.training_evidence import assemble_evidence
from rondo.trainer.onnx_graph.parity import ParityError
from rondo.trainer.preparation.inputs import onnx_inputs
from rondo.trainer.registration import candidate_of
from rondo.trainer.worker.app import pipeline
from sklearn.linear_model import LogisticRegression, PoissonRegressor

from tests.client.conftest import run  # noqa: F401 - a fixture
from tests.fourth_task.count import COUNT, CountLabels
from tests.trainer.external_models.graphs import run as run_graph

if TYPE_CHECKING:
    from pathlib import Path

    from rondo.contracts.spec.model import ModelSpec
    from rondo.trainer.evaluation.candidate import FittedCandidate

START, HOURS = datetime(2024, 1, 1, tzinfo=UTC), 2_000
LATER = START + timedelta(days=10_000)
DIGEST = f"sha256:{'1' * 64}"
SPEC = """\
model: calls
task: count
data: {{dataset: shops, entity: shop, event_time: at, label: calls}}
features:
  town: {{type: category}}
  heat: {{type: float, optional: true}}
trainer: {trainer}
retrain: {{on: [drift]}}
gates:
  poisson_deviance: {{max: 2, not_worse_than_champion: 0.1}}
  mae: {{max: 3}}
  slices: [town]
  min_slice_rows: 50
monitor: {{window: 1d}}
"""
LIGHTGBM = "{kind: lightgbm, params: {n_estimators: 40, num_leaves: 7}}"
TRAINERS = {
    "lightgbm": LIGHTGBM,
    "xgboost": "{kind: xgboost, params: {n_estimators: 40, max_depth: 3}}",
    "sklearn": "{kind: sklearn, steps: [{use: sklearn.impute.SimpleImputer}, {use: sklearn.linear_model.Ridge}]}",
    "forest": "{kind: sklearn, steps: [{use: sklearn.ensemble.RandomForestRegressor, params: {n_estimators: 10}}]}",
}


def spec_with(trainer: str = LIGHTGBM) -> ModelSpec:
    return parse_spec(SPEC.format(trainer=trainer))


@cache
def rows() -> pl.DataFrame:
    rng = np.random.default_rng(5)
    heat, town = rng.normal(size=HOURS).astype(np.float32), rng.choice(["Ulm", "Hof"], HOURS)
    calls = rng.poisson(np.exp(0.5 + 0.8 * heat + (town == "Ulm"))).astype(np.float64)
    at = [START + timedelta(hours=hour) for hour in range(HOURS)]
    shops = [f"s{n}" for n in range(HOURS)]
    frame = {"shop": shops, "at": at, "town": town, "heat": heat, "calls": calls}
    return pl.DataFrame(frame).cast({"at": pl.Datetime("us", "UTC")})


def training_set() -> TrainingSet:
    return TrainingSet(rows(), (), LATER, None, LATER)


@cache
def fitted(trainer: str = LIGHTGBM) -> FittedCandidate:
    return pipeline(1).fit(spec_with(trainer), training_set())


@cache
def evidence() -> Evidence:
    spec, other = spec_with(), fitted("{kind: lightgbm, params: {n_estimators: 1, num_leaves: 2}}")
    compared = pipeline(1).evaluate(spec, fitted(), ChampionModel(1, other.model))
    made = assemble_evidence(spec, training_set(), compared, "test")
    return Evidence.model_validate_json(made.encode())


def served() -> OnnxModel:
    return OnnxModel(fitted().model, spec_with().features)


def answers(frame: pl.DataFrame) -> dict[str, Any]:
    """Return the outputs as serving computes them."""
    inputs = onnx_inputs(spec_with().features, frame)
    return dict(served().score({name: values.reshape(-1) for name, values in inputs.items()}))


def test_the_registry_has_four_tasks_and_the_metric_of_the_fourth() -> None:
    assert list(TASKS) == ["binary", "multiclass", "regression", "count"]
    assert METRICS["poisson_deviance"] is COUNT.metrics["poisson_deviance"]
    task = schema_of(Evidence)["$defs"]["FittedTask"]["properties"]["task"]
    assert task["examples"][-1] == "count"


def test_a_spec_of_it_is_valid_and_its_gates_are_its_metrics() -> None:
    spec = spec_with()
    assert spec.gates.metrics.keys() == {"poisson_deviance", "mae"}
    assert isinstance(spec.labels, CountLabels)
    assert type(spec).from_json(spec.canonical_json()).digest == spec.digest


@pytest.mark.parametrize(
    ("written", "instead", "path"),
    [
        ("mae: {max: 3}", "roc_auc: {min: 0.6}", "gates.roc_auc"),
        ("task: count", "task: binary", "gates.poisson_deviance"),
        ("slices: [town]", "slice_metric: rmse", "gates.slice_metric"),
        ("slices: [town]", "fairness: {by: town, max_gap: 1, metric: selection_rate}", "gates.fairness.metric"),
        ("label: calls", "label: calls, positive: a, negative: b", "data.positive"),
        ("monitor:", "prediction: {threshold: 0.5}\nmonitor:", "prediction.threshold"),
        ("num_leaves: 7", "scale_pos_weight: 2", "trainer.params.scale_pos_weight"),
        (LIGHTGBM, "{kind: sklearn, steps: [{use: sklearn.linear_model.LogisticRegression}]}", "trainer.steps"),
    ],
)
def test_what_is_of_other_tasks_is_refused(written: str, instead: str, path: str) -> None:
    text = SPEC.format(trainer=LIGHTGBM)
    assert text.count(written) == 1
    with pytest.raises(SpecError) as refused:
        parse_spec(text.replace(written, instead))
    assert any(problem.startswith(path) or path in problem for problem in map(str, refused.value.problems))


def test_ingestion_takes_its_labels_and_quarantines_others() -> None:
    contract = contract_of("shops", [spec_with()])
    frame = rows().head(100).with_columns(calls=pl.Series([-1.0, 0.5, *rows()["calls"][2:100]]))
    found = decide(RawBatch(frame), "Parquet", contract, LATER)
    assert isinstance(found, AcceptedBatch)
    assert (found.quality.accepted, found.quality.quarantined) == (98, 2)
    assert {reason.partition(":")[0]: count for reason, count in found.quality.reasons.items()} == {"calls": 2}
    assert found.rows["calls"].dtype == pl.Float64
    texts = frame.with_columns(pl.col("calls").cast(pl.Int64, strict=False).cast(pl.String))
    assert isinstance(decide(RawBatch(texts), "CSV", contract, LATER), AcceptedBatch)


def test_an_outcome_is_held_to_its_labels() -> None:
    sent = [
        {"model": "calls", "id": "a", "event_time": "2024-01-01T00:00:00Z", "outcome": outcome}
        for outcome in (3, 2.5, -1)
    ]
    found = parse_outcomes([orjson.dumps(each) for each in sent], {"calls": spec_with().labels}, LATER)
    assert found.valid["calls"].outcome == [3.0]
    assert [index for index, _ in found.invalid] == [1, 2]


def test_stored_numbers_that_are_no_labels_are_no_training_rows() -> None:
    stored = pl.DataFrame({"calls": [3.0, 0.5, -1.0, None]})
    found = stored.select(columns.label(spec_with(), pl.col("calls"), pl.Float64()))
    assert found["calls"].to_list() == [3.0, None, None, None]


@pytest.mark.parametrize("kind", TRAINERS)
def test_every_library_trains_it_and_its_graph_agrees(kind: str) -> None:
    candidate = fitted(TRAINERS[kind])
    assert candidate.parity.max_difference < 1e-4
    assert candidate.scored.outputs.keys() == {"expected", "none"}
    assert set(candidate.reference.profile) == {"town", "heat"}
    check_onnx(candidate.model, len(candidate.model))
    check_task(candidate.model, "count")


@pytest.mark.parametrize("output", ["expected", "none"])
def test_a_head_that_is_not_its_predictions_is_refused(output: str, monkeypatch: pytest.MonkeyPatch) -> None:
    head = type(COUNT).head

    def unfaithful(task: Any, fitted: Any, raw: str, node: Any) -> list[Any]:
        nodes = head(task, fitted, raw, node)
        at = next(at for at, each in enumerate(nodes) if each.output[0] == f"output.{output}")
        nodes[at].output[0] = "head.right"
        wrong = node("Add", ["head.right", "head.least"], [f"output.{output}"], name="head.wrong")
        return [*nodes[: at + 1], wrong, *nodes[at + 1 :]]

    monkeypatch.setattr(type(COUNT), "head", unfaithful)
    with pytest.raises(ParityError):
        pipeline(1).fit(spec_with(), training_set())


def test_a_model_made_elsewhere_is_registered() -> None:
    numbers = parse_spec(
        SPEC.format(trainer=LIGHTGBM).replace("  town: {type: category}\n", "").replace("[town]", "[]")
    )
    frame = rows().drop_nulls()
    estimator = PoissonRegressor().fit(frame.select("heat").to_numpy(), frame["calls"].to_numpy())
    converted = convert(estimator, numbers.as_dict(), ["heat"])
    candidate = candidate_of(numbers, TrainingSet(frame, (), LATER, None, LATER), converted.content, run_graph)
    assert candidate.scored.task.task == "count"
    with pytest.raises(NotConvertibleError):
        convert(LogisticRegression().fit([[0.0], [1.0]], [0, 1]), numbers.as_dict(), ["heat"])


def test_the_evaluation_has_its_metrics_and_the_sketch_of_the_holdout_the_same_values() -> None:
    found = evidence()
    assert found.candidate.metrics.keys() == {"poisson_deviance", "mae"}
    assert found.champion is not None
    assert found.candidate.metrics["poisson_deviance"] < found.champion.metrics["poisson_deviance"]
    assert found.profile.outputs.keys() == {"expected"}
    for name, figure in found.profile.performance.items():
        assert figure.value == pytest.approx(found.candidate.metrics[name], abs=1e-3)


def test_the_gates_pass_and_refuse_it() -> None:
    spec, champion = spec_with(), ComparedChampion(1)
    results = {each.gate: each for each in evaluate_gates(evidence(), spec.gates, champion)}
    assert results.keys() >= {
        "poisson_deviance.max", "poisson_deviance.not_worse_than_champion", "mae.max", "slices.town",
    }  # fmt: skip
    assert all(each.passed for each in results.values()), results
    strict = spec.gates.model_validate({"poisson_deviance": {"max": 0.01}})
    (refused,) = (each for each in evaluate_gates(evidence(), strict, champion) if not each.passed)
    assert refused.gate == "poisson_deviance.max"
    assert refused.observed == evidence().candidate.metrics["poisson_deviance"]


def test_serving_answers_what_the_task_predicts() -> None:
    frame, schema = rows().tail(50), served().outputs
    outputs = answers(frame)
    assert outputs["none"] == pytest.approx(np.exp(-outputs["expected"]), rel=1e-6)
    made = encode_answers("calls", 1, DIGEST, frame["shop"].to_list(), schema, outputs, LATER)
    read = [PredictionMade.model_validate_json(each) for each in made]
    assert [each.output["expected"] for each in read] == pytest.approx(outputs["expected"].tolist())
    assert shown(read[0].output).startswith("expected ")


def test_the_monitor_counts_its_outcomes_through_both_logs_and_a_checkpoint() -> None:
    spec, frame = spec_with(), rows().tail(104)  # from midnight on
    state = ModelState(spec.model)
    state.apply_spec(spec)
    state.promote(ChampionRevision(1, 1, DIGEST))
    reference = Reference.of(evidence().profile)
    log = VersionLog(spec.model, 1, DIGEST, spec.features, served().outputs)
    for day in frame.iter_slices(24):
        ids, inputs = day["shop"].to_list(), onnx_inputs(spec.features, day)
        asked = Rows(ids, ids, day["at"].to_list(), {name: each.reshape(-1) for name, each in inputs.items()}, Mock())
        for message in log.encode(log.batch(asked, answers(day), day["at"][-1])):
            state.count_predictions(read_predictions(message).rows, 1, reference)
    sent = [
        {"model": spec.model, "id": name, "event_time": at.isoformat(), "outcome": calls}
        for name, at, calls in frame.select("shop", "at", "calls").iter_rows()
    ]
    parsed = parse_outcomes([orjson.dumps(each) for each in sent], {spec.model: spec.labels}, LATER)
    known = read_outcomes(spec.model.encode(), logs.encode(parsed.valid[spec.model].batch(spec.model)))
    state.add_outcomes(known.rows, 4_000_000_000_000_000)
    state.outcome_watermark = state.outcome_watermark.caught_up()
    state.settle()
    saved, _ = encode_state(state, nothing_stored())
    state, _ = decode_state(spec.model, saved, state.max_out_of_orderness, now=0.0)
    state.apply_spec(spec)
    closed = [each.event for each in state.close_due_windows({DIGEST: reference}, outcomes_idle=True)]
    first = next(each for each in closed if isinstance(each, WindowClosed))
    figures = {each.statistic: each for each in first.statistics if each.feature is None}
    day = frame.filter((frame["at"] >= first.window.start) & (frame["at"] < first.window.end))
    outputs, formula = answers(day), METRICS["poisson_deviance"].formula
    assert formula is not None
    expected = formula(day["calls"].to_numpy().astype(np.float32), outputs, None)
    assert first.labelled_rows == day.height == 24
    assert figures["poisson_deviance"].value == pytest.approx(expected, abs=2e-3)
    assert state.evidence.versions[1].taken["loss"].rows >= day.height, "its losses are evidence"
    assert "output.expected" in {each.feature for each in first.statistics}


def test_the_command_shows_its_primary_metric() -> None:
    summary = evidence().summary()
    metric = f"Poisson deviance {summary.metrics['poisson_deviance']:.3f}"
    trained = ModelTrained.model_construct(summary=summary, trigger=Mock(artifact=None), model="calls")
    assert metric in summarize(trained)
    version = {
        "model_version": 1, "state": "champion", "task": "count", "metrics": summary.metrics, "gates": [],
        "trigger": {"kind": "data"}, "registered_at": "2024-01-01T00:00:00Z",
    }  # fmt: skip
    assert metric in _version_cells(version)


async def test_the_command_checks_outcomes_by_its_labels() -> None:
    rondo = Mock()
    rondo.spec = _returning({"spec": spec_with().as_dict()})
    rondo.dataset = _returning({"columns": [{"name": "calls", "kind": "label"}]})
    label = await label_of(rondo, "calls")
    assert label is not None
    assert label.labels == CountLabels()
    observed = OutcomeObserved(model="calls", id="a", outcome=3, event_time=START)
    label.check(observed)
    assert label.doubt(observed) is None


def _returning(value: Any) -> Any:
    async def answer(*_: object) -> Any:
        return value

    return answer


def test_init_proposes_it_where_it_is_named(
    run: Any,  # noqa: F811
    tmp_path: Path,
) -> None:
    rows().head(200).with_columns(pl.col("calls").cast(pl.Int64)).write_csv(tmp_path / "shops.csv")
    done = run("init", "--from", "shops.csv", "--task", "count", "--label", "calls", "--entity", "shop")
    spec = parse_spec(done.stdout.replace("# gates:", "gates:"))
    assert (done.exit_code, spec.task, list(spec.gates.metrics)) == (0, "count", ["poisson_deviance"])
    refused = run("init", "--from", "shops.csv", "--task", "count", "--label", "town", "--entity", "shop")
    assert refused.exit_code != 0
    assert "'town'" in refused.stderr


def test_the_report_of_an_example_compares_its_answer() -> None:
    frame = rows().tail(30)
    found = FirstModel(fitted().model, ["town", "heat"]).outputs(frame)
    assert found.to_numpy() == pytest.approx(answers(frame)["expected"])
