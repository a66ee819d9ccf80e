"""Models of every task: the changes that are found in their windows, and how soon."""

from __future__ import annotations

from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pytest
from rondo.contracts.events.monitoring import AlertRaised, DriftDetected, PerformanceDegraded, WindowClosed, described
from rondo.monitor.state.evidence_codec import encode_evidence

from tests.monitor.builders import EPOCH, outcomes, predictions, spec, times
from tests.monitor.scenarios import DailyScenario
from tests.monitor.streams import BINARY, HALF_WIDTH, MULTICLASS, REGRESSION, STREAMS, Data, Stream

if TYPE_CHECKING:
    from rondo.contracts.training_evidence import ReferenceProfile


class Beside(Stream):
    """A stream whose reference is that of the regression, with other outcomes."""

    @cached_property
    def profile(self) -> ReferenceProfile:
        return REGRESSION.profile


OF_EACH = pytest.mark.parametrize("stream", STREAMS, ids=lambda each: each.task)


def scenario_of(stream: Stream) -> DailyScenario:
    return DailyScenario(spec=spec(stream.task), stream=stream)


@pytest.mark.sampled(1)
@OF_EACH
@pytest.mark.medium
def test_without_a_change_nothing_is_found(stream: Stream) -> None:
    scenario = scenario_of(stream)
    for day in range(8):
        scenario.day(day)
        scenario.close()
    assert scenario.counts() == {"WindowClosed": 7}
    assert {each.no_verdict for each in scenario.all(WindowClosed)} == {None}
    assert {each.labelled_rows for each in scenario.all(WindowClosed)} == {1_000}
    for statistic in scenario.all(WindowClosed)[0].statistics:
        if statistic.statistic in stream.profile.performance:
            assert statistic.value == pytest.approx(statistic.reference, rel=0.2, abs=0.2)


@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    ("stream", "outputs"),
    [
        (BINARY, set()),
        (MULTICLASS, {("output.label", "share", "oak"), ("output.label", "share", "ash")}),
        (REGRESSION, {("output.value", "level", None)}),
    ],
    ids=lambda each: each.task if isinstance(each, Stream) else "",
)
@pytest.mark.medium
def test_other_predictions_are_drift(stream: Stream, outputs: set[tuple[str, str, str | None]]) -> None:
    """The shift changes the share of each class, and the values. The scores of the binary stream do not follow it."""
    scenario = scenario_of(stream)
    for day in range(6):
        scenario.day(day, shift=1.5 if day >= 3 else 0)
        scenario.close()
    found = scenario.all(DriftDetected)[-1]
    assert abs(found.since - (EPOCH + timedelta(days=3))) <= timedelta(hours=3)
    statistics = {(each.feature, each.statistic, each.category) for each in found.statistics}
    assert statistics >= {("x", "level", None), *outputs}
    features = {feature for feature, _, _ in statistics}
    assert "city" not in features
    if stream is BINARY:
        assert features == {"x"}
    for each in found.statistics:
        assert each.reference is not None
        assert each.statistic != "share" or 0 <= each.value <= 1


@pytest.mark.sampled(1)
@OF_EACH
@pytest.mark.medium
def test_worse_predictions_are_found_since_they_became_worse(stream: Stream) -> None:
    scenario = scenario_of(stream)
    for day in range(8):
        scenario.day(day, skill=0.4 if day >= 3 else 1)
        scenario.close()
    found = scenario.all(PerformanceDegraded)[0]
    assert abs(found.since - (EPOCH + timedelta(days=3))) <= timedelta(hours=8)
    assert found.since_earliest is not None
    assert found.since_latest is not None
    assert found.since_earliest <= found.since <= found.since_latest
    loss, *others = sorted(found.statistics, key=lambda each: each.statistic != "loss")
    assert (loss.statistic, loss.feature) == ("loss", None)
    assert {each.statistic for each in others} <= {"interval_coverage"}
    assert loss.reference is not None
    assert 0 < loss.reference < loss.value < 1
    alert = scenario.one(AlertRaised)
    assert (alert.severity, alert.alert_id) == ("critical", found.finding_id)
    assert described(loss) in alert.detail
    assert "DriftDetected" not in scenario.counts()


@pytest.mark.parametrize("missed", [0.3, 0.05])
@pytest.mark.medium
def test_intervals_that_cover_less_are_found_though_the_errors_are_smaller(missed: float) -> None:
    """The interval should cover 90% of the outcomes. From day 3 on some are just outside, and the others are exact."""

    def beside(rng: np.random.Generator, data: Data, skill: float = 1.0) -> np.ndarray:
        usual = REGRESSION.outcomes(rng, data)
        outside = np.where(rng.random(usual.size) < missed, 1.01 * HALF_WIDTH, 0.0)
        return usual if skill == 1 else data["value"] + outside

    scenario = DailyScenario(spec=spec("regression"), stream=Beside("regression", REGRESSION.rows, beside))
    for day in range(8):
        scenario.day(day, skill=0.5 if day >= 3 else 1)
        scenario.restart()
        scenario.close()
    if missed < 0.1:
        assert "PerformanceDegraded" not in scenario.counts()
        return
    found = scenario.all(PerformanceDegraded)[-1]
    assert abs(found.since - (EPOCH + timedelta(days=3))) <= timedelta(hours=8)
    (coverage,) = found.statistics
    assert (coverage.statistic, coverage.feature) == ("interval_coverage", None)
    assert coverage.value == pytest.approx(1 - missed, abs=0.05)
    assert coverage.reference == pytest.approx(0.9, abs=0.02)
    alert = scenario.one(AlertRaised)
    assert alert.severity == "critical"
    assert described(scenario.all(PerformanceDegraded)[0].statistics[0]) in alert.detail


@pytest.mark.sampled(1)
@OF_EACH
@pytest.mark.medium
def test_a_restart_after_every_step_changes_nothing(stream: Stream) -> None:
    continued, restarted = scenario_of(stream), scenario_of(stream)
    for day in range(6):
        for scenario in (continued, restarted):
            scenario.day(day, shift=1.5 if day >= 3 else 0, skill=0.3 if day >= 2 else 1)
            if scenario is restarted:
                scenario.restart()
            scenario.state.settle()
            if scenario is restarted:
                scenario.restart()
            scenario.close()
    assert continued.state.windows == restarted.state.windows
    assert continued.published == restarted.published
    assert {"DriftDetected", "PerformanceDegraded"} <= continued.counts().keys()
    first, second = (encode_evidence(scenario.state.evidence) for scenario in (continued, restarted))
    assert first.equals(second)


def test_versions_of_different_tasks_are_counted_side_by_side_each_by_its_own_sketch() -> None:
    """A model becomes a multiclass one: the windows of both versions are open, also after a restart."""
    rng, scenario = np.random.default_rng(8), scenario_of(BINARY)
    for version, stream in ((1, BINARY), (2, MULTICLASS), (3, REGRESSION)):
        data, ids = stream.rows(rng, 400), [f"{version}-{i}" for i in range(400)]
        scenario.state.count_predictions(predictions(data, times(0, 400), ids), version, stream.reference)
        known = outcomes(list(ids), stream.outcomes(rng, data), times(0.05, 400))
        if version == 2:
            scenario.restart()
        scenario.add_outcomes(known)
        scenario.state.settle()
    found = {version: counts.figures for (version, _), counts in scenario.state.windows.items()}
    assert [counts.labelled_rows for counts in scenario.state.windows.values()] == [400, 400, 400]
    assert [set(figures) for figures in found.values()] == [set(stream.profile.performance) for stream in STREAMS]


def test_a_text_is_no_outcome_of_a_number() -> None:
    """The model was multiclass before, so late outcomes are texts."""
    scenario = scenario_of(REGRESSION)
    for day in range(3):
        scenario.day(day, labels=False)
    ids = [f"0-1-{i}" for i in range(1_000)]
    scenario.add_outcomes(outcomes(list(ids), np.array(["oak"] * 1_000), times(0.1, 1_000)))
    scenario.close()
    assert [each.labelled_rows for each in scenario.all(WindowClosed)] == [0, 0]


@pytest.mark.medium
@OF_EACH
def test_windows_without_outcomes_have_the_performance_to_be_expected(stream: Stream) -> None:
    labelled, unlabelled = scenario_of(stream), scenario_of(stream)
    for day in range(3):
        labelled.day(day)
        unlabelled.day(day, labels=False)
        labelled.close()
        unlabelled.close()
    first, other = (scenario.all(WindowClosed)[0] for scenario in (labelled, unlabelled))
    assert other.estimates == first.estimates, "they need no outcomes"
    assert {each.method for each in first.estimates} == {"expected"}
    assert "loss" in {each.statistic for each in first.estimates}
    observed = {each.statistic: each.value for each in first.statistics if each.feature is None}
    compared = [each for each in first.estimates if each.statistic in observed]
    assert compared
    for each in compared:
        assert each.value == pytest.approx(observed[each.statistic], rel=0.1)
        assert each.reference == pytest.approx(each.value, rel=0.1)


@pytest.mark.medium
@pytest.mark.parametrize("stream", STREAMS, ids=lambda each: each.task)
def test_a_window_has_the_figures_of_its_slices(stream: Stream) -> None:
    """A restart before the outcomes arrive changes nothing."""
    scenario = DailyScenario(spec=spec(stream.task), stream=stream)
    scenario.day(0)
    scenario.restart()
    scenario.day(1)
    scenario.state.settle()
    closed = [each.closed for each in scenario.state.close_due_windows(scenario.references, outcomes_idle=True)]
    (window,) = (each for each in closed if each)
    assert sum(each.labelled_rows for each in window.slices) == window.labelled_rows == 1_000
    assert [each.rows for each in window.slices] == [each.labelled_rows for each in window.slices]
    assert {each.column for each in window.gaps} == {"city"}
