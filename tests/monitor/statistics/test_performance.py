"""The metrics of a window compared with those of the holdout, for each task."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from rondo.contracts.events.monitoring import Statistic
from rondo.monitor.statistics.performance import Performance
from rondo.monitor.statistics.window_statistics import window_statistics

from tests.monitor.builders import REFERENCE
from tests.monitor.statistics.windows import labelled, window
from tests.monitor.streams import BINARY, HALF_WIDTH, MULTICLASS, NOISE, REGRESSION, STREAMS, Stream

OF_EACH = pytest.mark.parametrize("stream", STREAMS, ids=lambda each: each.task)
PRIMARY = {"binary": "roc_auc", "multiclass": "accuracy", "regression": "mae"}


def found(stream: Stream, skill: float, count: int = 5_000) -> dict[str, Statistic]:
    rng = np.random.default_rng(1)
    data = stream.rows(rng, count)
    counts = labelled(data, stream.outcomes(rng, data, skill), stream.reference)
    return {each.statistic: each for each in Performance().of(counts, stream.reference)}


@OF_EACH
def test_every_figure_of_the_sketch_is_given_beside_that_of_the_holdout_without_a_verdict(stream: Stream) -> None:
    figures = found(stream, 1.0)
    assert figures.keys() == stream.profile.performance.keys()
    for name, statistic in figures.items():
        assert statistic.reference == stream.profile.performance[name].value
        assert statistic.value == pytest.approx(statistic.reference, rel=0.2, abs=0.2)
        assert (statistic.feature, statistic.threshold, statistic.p_value, statistic.e_value) == (None,) * 4


@OF_EACH
def test_worse_predictions_have_worse_figures(stream: Stream) -> None:
    name = PRIMARY[stream.task]
    better, worse = (found(stream, skill)[name].value for skill in (1.0, 0.4))
    assert better < worse if name == "mae" else better > worse


def test_the_figures_of_a_regression_by_hand() -> None:
    data = {name: np.full(100, 20.0, np.float32) for name in ("value", "low", "high")}
    data |= {"low": data["value"] - np.float32(HALF_WIDTH), "high": data["value"] + np.float32(HALF_WIDTH)}
    outcomes = np.array([20.0 + NOISE] * 45 + [20.0 - NOISE] * 45 + [20.0 + 2 * HALF_WIDTH] * 10)
    counts = labelled(data, outcomes, REGRESSION.reference)
    figures = {each.statistic: each for each in Performance().of(counts, REGRESSION.reference)}
    assert figures["mae"].value == pytest.approx(0.9 * NOISE + 0.1 * 2 * HALF_WIDTH, rel=0.01)
    assert figures["interval_coverage"].value == 0.9


def test_outcomes_of_a_class_that_the_model_does_not_know_are_wrong_and_visible() -> None:
    rng = np.random.default_rng(1)
    data = MULTICLASS.rows(rng, 2_000)
    outcomes = MULTICLASS.outcomes(rng, data)
    outcomes[:500] = "yew"
    counts = labelled(data, outcomes, MULTICLASS.reference)
    figures = {each.statistic: each for each in Performance().of(counts, MULTICLASS.reference)}
    assert figures["unknown_classes"] == Statistic(statistic="unknown_classes", value=0.25, reference=0.0)
    assert figures["accuracy"].value == (outcomes == data["label"]).mean()


def test_a_metric_that_is_not_defined_on_the_window_is_left_out() -> None:
    data = BINARY.rows(np.random.default_rng(1), 500)
    assert "roc_auc" not in {each.statistic for each in Performance().of(labelled(data, np.ones(500)), REFERENCE)}
    assert list(Performance().of(window({}), REFERENCE)) == []


def test_without_a_figure_of_the_holdout_there_is_no_reference() -> None:
    lacking = replace(BINARY.reference, profile=BINARY.profile.model_copy(update={"performance": {}}))
    rng = np.random.default_rng(1)
    data = BINARY.rows(rng, 500)
    counts = labelled(data, BINARY.outcomes(rng, data), lacking)
    assert {each.reference for each in Performance().of(counts, lacking)} == {None}


@OF_EACH
def test_a_window_has_the_statistics_of_every_column_and_of_the_model(stream: Stream) -> None:
    rng = np.random.default_rng(1)
    data = stream.rows(rng, 500)
    counts = labelled(data, stream.outcomes(rng, data), stream.reference)
    statistics = window_statistics(counts, stream.reference, ("psi",))
    columns = {column.name for column in stream.reference.binning.columns}
    assert {each.feature for each in statistics if each.statistic == "psi"} == columns
    assert {each.feature for each in statistics} == columns | {None}
    assert {each.threshold for each in statistics} == {None}
