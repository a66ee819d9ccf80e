"""Predictions that become too high or too low are found, also if they are right more often."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import pytest
from rondo.contracts.events.monitoring import AlertRaised, PerformanceDegraded, described
from rondo.contracts.tasks.registry import task_named
from rondo.monitor.evidence.component_sums import LOSS, TOO_HIGH, TOO_LOW, UNCOVERED
from rondo.monitor.evidence.reference import Reference
from rondo.monitor.evidence.version_evidence import VersionEvidence
from rondo.monitor.status.column_status import column_statuses

from tests.monitor.builders import EPOCH, spec
from tests.monitor.scenarios import DailyScenario
from tests.monitor.streams import (
    BINARY,
    MULTICLASS,
    NOISE,
    REFERENCE_ROWS,
    REFERENCE_SECONDS,
    REGRESSION,
    STREAMS,
    Data,
    Stream,
    counted,
)

if TYPE_CHECKING:
    from collections.abc import Callable

OF_EACH = pytest.mark.parametrize("stream", STREAMS, ids=lambda each: each.task)


@cache
def reference_of(stream: Stream) -> Reference:
    return Reference.of(stream.profile_of(REFERENCE_ROWS, REFERENCE_SECONDS, bias=True), "one")


def scenario_of(stream: Stream, outcomes: Callable[[Data], np.ndarray] | None = None) -> DailyScenario:
    """Return a scenario with these outcomes wherever `skill` is less than 1."""

    def drawn(rng: np.random.Generator, data: Data, skill: float = 1.0) -> np.ndarray:
        return stream.outcomes(rng, data) if skill == 1 or outcomes is None else outcomes(data)

    return DailyScenario(
        spec=spec(stream.task), stream=replace(stream, outcomes=drawn), given=reference_of(stream)
    )  # fmt: skip


@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    ("stream", "outcomes", "direction"),
    [
        (BINARY, lambda data: (data["score"] > 0.4).astype(np.float64), "low"),
        (BINARY, lambda data: (data["score"] > 0.6).astype(np.float64), "high"),
        # The predictions are always right, with a lower certainty.
        pytest.param(MULTICLASS, lambda data: data["label"], "low", marks=pytest.mark.slow),
        (REGRESSION, lambda data: data["value"] - NOISE / 2, "high"),
    ],
    ids=["binary too low", "binary too high", "multiclass", "regression"],
)
@pytest.mark.medium
def test_predictions_that_are_off_in_one_direction_are_found_though_losses_are_smaller(
    stream: Stream, outcomes: Callable[[Data], np.ndarray], direction: str
) -> None:
    scenario = scenario_of(stream, outcomes)
    for day in range(8):
        scenario.day(day, skill=0.5 if day >= 3 else 1)
        scenario.restart()
        scenario.close()
    found = scenario.all(PerformanceDegraded)[0]
    assert abs(found.since - (EPOCH + timedelta(days=3))) <= timedelta(hours=8)
    (calibration,) = found.statistics
    assert (calibration.statistic, calibration.feature) == ("calibration", None)
    assert calibration.reference == pytest.approx(0, abs=0.02)
    assert (calibration.value > 0.1, calibration.value < -0.1) == (direction == "low", direction == "high")
    assert described(calibration) in scenario.one(AlertRaised).detail
    status = next(each for each in column_statuses(scenario.state.evidence.versions[1], 0.01) if each.group == "loss")
    assert status.change is not None
    assert f"too {direction}" in status.change


@pytest.mark.sampled(1)
@OF_EACH
@pytest.mark.medium
def test_without_a_change_nothing_is_found(stream: Stream) -> None:
    scenario = scenario_of(stream)
    for day in range(8):
        scenario.day(day)
        scenario.close()
    assert scenario.counts() == {"WindowClosed": 7}


@pytest.mark.medium
@OF_EACH
def test_each_direction_is_a_component_beside_the_loss(stream: Stream) -> None:
    evidence = VersionEvidence.of("one", reference_of(stream).profile)
    (names,) = ([part.name for part in each.components] for each in evidence.watched if each.group == "loss")
    has_interval = stream is REGRESSION
    assert names == [LOSS, *([UNCOVERED] if has_interval else []), TOO_LOW, TOO_HIGH]
    # A reference of an earlier release has no bias, and its windows count none.
    assert stream.reference.loss_components == len(names) - 2
    assert reference_of(stream).loss_components == len(names)


@OF_EACH
def test_the_mean_bias_is_that_of_outcomes_less_predictions(stream: Stream) -> None:
    rng = np.random.default_rng(1)
    data = stream.rows(rng, 1_000)
    rows = counted(data, stream.outcomes(rng, data))
    reference = reference_of(stream)
    task, largest = task_named(stream.task), reference.largest_loss
    bias = task.bias(reference.task, rows, largest)
    assert bias is not None
    assert np.abs(bias).max() <= 1
    if stream is REGRESSION:
        errors = rows["outcome"].to_numpy() - rows["number"].to_numpy()
        assert largest is not None
        assert bias == pytest.approx(np.clip(errors / np.sqrt(largest), -1, 1), abs=1e-6)
        return
    right = rows["outcome"].to_numpy() if stream is BINARY else data["label"] == rows["outcome_label"].to_numpy()
    assert bias == pytest.approx(right - rows["number"].to_numpy(), abs=1e-6)
