"""An estimator or a function whose graph differs from its model in one row makes no candidate."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from rondo.chassis.artifacts import Artifacts
from rondo.chassis.training_evidence import load_evidence
from rondo.contracts.events.training import ModelTrained, TrainingFailed
from rondo.contracts.spec.model import Gates
from rondo.contracts.vocabularies import GateName
from rondo.registry.gates.gates import MAX_PARITY_DIFFERENCE, evaluate_gates
from rondo.trainer.dataset.training_set import TrainingSet
from rondo.trainer.onnx_graph import parity
from rondo.trainer.onnx_graph.parity import ParityError
from rondo.trainer.worker.app import pipeline

from tests.registry.builders import results
from tests.trainer import builders
from tests.trainer.unfaithful import LARGEST, pipeline_of_steps

if TYPE_CHECKING:
    from rondo.contracts.training_evidence import Evidence

    from tests.trainer.worker_harness import WorkerHarness

GAP = 1e-3
OWN = Path(__file__).parents[1] / "functions" / "own_model.py"
ROWS = builders.rows(2_000)


def test_a_training_is_refused_with_the_row_that_shows_it() -> None:
    training_set = TrainingSet(ROWS, (), ROWS["departure"][-1], None, ROWS["departure"][-1])
    assert pipeline_of_steps(0).fit(builders.spec(), training_set).parity.max_difference == 0
    with pytest.raises(ParityError) as refusal:
        pipeline_of_steps(GAP).fit(builders.spec(), training_set)
    assert refusal.value.code == "parity"
    assert refusal.value.difference == pytest.approx(GAP, rel=1e-3)
    assert refusal.value.row.keys() == {"carrier", "distance"}
    assert refusal.value.row["distance"] == LARGEST


@pytest.mark.medium
async def test_a_run_of_the_worker_fails_with_the_row_and_stores_no_candidate(harness: WorkerHarness) -> None:
    builders.write_batch(harness.data, ROWS)
    asked = (builders.spec(), builders.trigger())
    (failed,) = await harness.run(asked, pipeline=pipeline_of_steps(GAP))
    assert isinstance(failed, TrainingFailed)
    # It would be the same again.
    assert failed.attempts == 1
    row = json.loads(failed.reason[failed.reason.index("{") :])
    assert row["distance"] == LARGEST
    assert not list(harness.artifacts.glob("**/*"))
    (trained,) = await harness.run((builders.spec(), builders.trigger(name="again")), pipeline=pipeline_of_steps(0))
    assert isinstance(trained, ModelTrained)


@pytest.mark.process
@pytest.mark.medium
async def test_a_function_whose_graph_is_unfaithful_fails_with_the_row_and_a_faithful_one_is_a_candidate(
    harness: WorkerHarness, tmp_path: Path
) -> None:
    builders.write_batch(harness.data, ROWS)
    (tmp_path / "functions" / "own").mkdir(parents=True)
    (tmp_path / "functions" / "own" / "train.py").write_text(OWN.read_text())
    trains = pipeline(1, tmp_path / "functions")
    ends = []
    for name in ("unfaithful", "with_predict"):
        trainer = {"kind": "function", "function": f"own.train:{name}", "min_rows": 1_000}
        described = builders.spec().as_dict() | {"trainer": trainer, "retrain": {"policy": "triggers"}}
        asked = type(builders.spec()).model_validate(described)
        ends += await harness.run((asked, builders.trigger(name=name)), pipeline=trains)
    failed, trained = ends
    assert isinstance(failed, TrainingFailed)
    assert failed.attempts == 1
    assert json.loads(failed.reason[failed.reason.index("{") :])["carrier"] == "UA"
    assert isinstance(trained, ModelTrained), trained
    found = await load_evidence(Artifacts(str(harness.artifacts)), trained.evidence)
    assert found.parity.native is True
    assert results(*evaluate_gates(found, Gates(), None)) == {GateName.PARITY: True}


async def evidence(harness: WorkerHarness, gap: float) -> Evidence:
    builders.write_batch(harness.data, ROWS)
    (trained,) = await harness.run((builders.spec(), builders.trigger()), pipeline=pipeline_of_steps(gap))
    assert isinstance(trained, ModelTrained)
    return await load_evidence(Artifacts(str(harness.artifacts)), trained.evidence)


@pytest.mark.medium
@pytest.mark.parametrize(("gap", "passes"), [(0, True), (GAP, False)])
async def test_the_gate_of_the_registry_refuses_it_by_the_evidence_of_a_trainer_that_does_not(
    harness: WorkerHarness, monkeypatch: pytest.MonkeyPatch, gap: float, *, passes: bool
) -> None:
    monkeypatch.setattr(parity, "BOUND", 1.0)
    found = await evidence(harness, gap)
    assert found.parity.native is True
    (gate,) = (each for each in evaluate_gates(found, Gates(), None) if each.gate == GateName.PARITY)
    assert (gate.bound, gate.observed) == (MAX_PARITY_DIFFERENCE, pytest.approx(gap, rel=1e-3))
    assert results(gate) == {GateName.PARITY: passes}
