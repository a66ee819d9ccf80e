"""A new library needs its estimator, the rules of its parameters, and a line for each. No other code names it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import onnx
import polars as pl
import pytest
from onnx import helper
from rondo.contracts.spec.file import SpecError, parse_spec
from rondo.contracts.spec.parameters.checks import LIBRARIES
from rondo.contracts.spec.parameters.domains import span
from rondo.contracts.spec.parameters.rules import Library, Rule
from rondo.trainer.dataset.training_set import TrainingSet
from rondo.trainer.estimators.boosting import Boosting
from rondo.trainer.evaluation.training_evidence import environment
from rondo.trainer.search.plan import plan_search
from rondo.trainer.worker.app import pipeline

START = datetime(2024, 1, 1, tzinfo=UTC)
SPEC = """\
model: calls
task: regression
data: {{dataset: shops, entity: id, event_time: at, label: calls}}
features:
  heat: {{type: float}}
trainer: {trainer}
"""
# The rules, as a file of `contracts.spec.parameters` has them.
AVERAGE = Library(
    "Average",
    aliases={"quantile": ("q",)},
    settable={"quantile": Rule(float, 0, 1)},
    decided={},
    search={"quantile": span(0.25, 0.75)},
    distributions=("numpy",),
)


class Constant:
    """`base.FittedModel`."""

    def __init__(self, value: float) -> None:
        self._value = np.float32(value)

    def predict(self, matrix: np.ndarray) -> np.ndarray:
        return np.full((len(matrix), 1), self._value, np.float64)

    def onnx_nodes(self, matrix: str, raw: str) -> list[onnx.NodeProto]:
        def constant(name: str, value: Any) -> onnx.NodeProto:
            return helper.make_node("Constant", [], [name], name=name, value=onnx.numpy_helper.from_array(value))

        value = onnx.numpy_helper.from_array(np.array([self._value]))
        return [
            helper.make_node("Shape", [matrix], ["average.shape"], name="average.shape"),
            constant("average.first", np.array([0])),
            constant("average.one", np.array([1])),
            helper.make_node("Gather", ["average.shape", "average.first"], ["average.rows"], name="average.rows"),
            helper.make_node("Concat", ["average.rows", "average.one"], ["average.both"], name="average.both", axis=0),
            helper.make_node("ConstantOfShape", ["average.both"], [raw], name=raw, value=value),
        ]


class Average(Boosting):
    """`base.Estimator` like one in a file of `trainer.estimators`: a quantile of the labels."""

    library = AVERAGE

    def fit(self, *arguments: Any) -> Constant:
        _, params, _, _, labels, _ = arguments
        return Constant(float(np.quantile(labels, params.get("quantile", 0.5))))


@pytest.fixture(autouse=True)
def _registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(LIBRARIES, "average", AVERAGE)


def spec_text(trainer: str = "{kind: average, params: {q: 0.5}}") -> str:
    return SPEC.format(trainer=trainer)


def test_its_rules_check_a_spec() -> None:
    assert parse_spec(spec_text()).trainer.kind == "average"
    with pytest.raises(SpecError):
        parse_spec(spec_text("{kind: average, params: {q: 2}}"))


def test_its_space_is_searched_and_its_version_is_recorded() -> None:
    spec = parse_spec(spec_text("{kind: average, search: {trials: 3}}"))
    assert plan_search(spec, None).space == AVERAGE.search
    assert environment()["average"] == np.__version__


def test_it_trains_to_a_candidate() -> None:
    made = pipeline(1)
    with_average = replace(made, estimators={**made.estimators, "average": Average(1)})
    calls = np.random.default_rng(1).normal(10, 2, 2_000)
    at = [START + timedelta(hours=hour) for hour in range(2_000)]
    rows = pl.DataFrame({"id": ["a"] * 2_000, "at": at, "heat": calls.astype(np.float32) ** 2, "calls": calls})
    training_set = TrainingSet(rows.cast({"at": pl.Datetime("us", "UTC")}), (), at[-1], None, at[-1])
    spec = parse_spec(spec_text())
    candidate = with_average.evaluate(spec, with_average.fit(spec, training_set), None)
    assert candidate.parity.max_difference == 0
    assert candidate.evaluation.metrics["mae"] == pytest.approx(2 * (2 / np.pi) ** 0.5, rel=0.1)
    assert candidate.parameters is not None
    assert (candidate.parameters.kind, candidate.parameters.params) == ("average", {"quantile": 0.5})
