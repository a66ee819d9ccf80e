"""A spec without `monitor`, and few rows a day: the status until there is a verdict, and the findings after it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from rondo.contracts.events.monitoring import AlertRaised, AlertResolved, DriftDetected, WindowClosed
from rondo.contracts.spec.model import ModelSpec
from rondo.monitor.alerts.no_verdict import NO_ROWS
from rondo.monitor.evidence.reference import Reference
from rondo.monitor.status.model_status import model_status, summary

from tests.monitor.builders import EPOCH, SPEC
from tests.monitor.scenarios import DailyScenario
from tests.monitor.streams import BINARY

if TYPE_CHECKING:
    from rondo.monitor.status.model_status import ColumnStatus

PLAIN = ModelSpec.model_validate(SPEC.model_dump(mode="json", exclude={"monitor"}))
HOUR, DAY = 3_600, timedelta(days=1)
TRAFFIC = pytest.mark.parametrize(
    ("rows_a_day", "reference_rows", "window", "bucket"),
    [(48, 5_000, 48 * HOUR, 3 * HOUR), (10, 400, 7 * 24 * HOUR, 12 * HOUR)],
    ids=["half-hourly", "ten a day"],
)


def sparse(rows_a_day: int, reference_rows: int) -> DailyScenario:
    """Return a model whose reference is as dense as its traffic, with a spec that says nothing about monitoring."""
    seconds = reference_rows / rows_a_day * 86_400
    return DailyScenario(spec=PLAIN, given=Reference.of(BINARY.profile_of(reference_rows, seconds)))


def columns(scenario: DailyScenario) -> dict[str | None, ColumnStatus]:
    return {each.column: each for each in model_status(scenario.state, scenario.spec, scenario.reference).columns}


def reason(scenario: DailyScenario) -> str | None:
    """Return why there is no verdict, which is equal in the list of models and in the status of the model."""
    found = summary(scenario.state, scenario.spec, scenario.reference).no_verdict
    assert found == model_status(scenario.state, scenario.spec, scenario.reference).no_verdict
    return found


def until_judged(scenario: DailyScenario, rows_a_day: int, first: int = 0) -> int:
    """Let days pass, from day `first` on, until everything is judged. Returns the total number of days."""
    for day in range(first, 100):
        scenario.day(day, count=rows_a_day)
        scenario.close()
        if columns(scenario) and reason(scenario) is None:
            return day + 1
    raise AssertionError(reason(scenario))


def shifted(scenario: DailyScenario, rows_a_day: int, first: int, days: int) -> DriftDetected:
    for day in range(first, first + days):
        scenario.day(day, count=rows_a_day, shift=3.0)
        scenario.close()
    return scenario.all(DriftDetected)[0]


@TRAFFIC
def test_the_windows_and_buckets_follow_from_the_density_of_the_reference(
    rows_a_day: int, reference_rows: int, window: float, bucket: float
) -> None:
    scenario = sparse(rows_a_day, reference_rows)
    scenario.day(0, count=rows_a_day)
    status = model_status(scenario.state, scenario.spec, scenario.reference)
    assert (status.window_seconds, status.bucket_seconds) == (window, bucket)


@pytest.mark.medium
@TRAFFIC
def test_until_there_is_a_verdict_the_status_says_how_many_rows_are_missing(
    rows_a_day: int, reference_rows: int, window: float, bucket: float
) -> None:
    scenario, reported = sparse(rows_a_day, reference_rows), 0
    scenario.day(0, count=rows_a_day)
    assert reason(scenario) == NO_ROWS
    for day in range(1, 100):
        scenario.day(day, count=rows_a_day)
        scenario.close()
        missing = [each for each in columns(scenario).values() if not each.judged]
        if not missing:
            break
        sentence = reason(scenario)
        assert sentence
        for each in missing:
            if each.rows:
                reported += 1
                assert each.rows < each.needed
                assert each.expected is not None
                rate = timedelta(days=each.needed / rows_a_day)
                assert abs(each.expected - (EPOCH + rate)) <= timedelta(seconds=bucket)
        first = max((each for each in missing if each.column), key=lambda each: each.needed - each.rows, default=None)
        assert first is None or f"{first.rows:,} of about {first.needed:,} rows" in sentence
    assert reported > 2
    assert (day + 1) * rows_a_day <= reference_rows
    assert reason(scenario) is None


@TRAFFIC
@pytest.mark.medium
def test_a_verdict_comes_with_the_stated_rows_and_then_a_drift_is_found(
    rows_a_day: int, reference_rows: int, window: float, bucket: float
) -> None:
    scenario = sparse(rows_a_day, reference_rows)
    days = until_judged(scenario, rows_a_day)
    needed = max(each.needed for each in columns(scenario).values())
    # The rows of the last day are incomplete, and the outcomes of a window count at its end.
    assert needed <= days * rows_a_day <= needed + (window / 86_400 + 2) * rows_a_day
    assert scenario.counts().keys() == {"WindowClosed"}
    drift = shifted(scenario, rows_a_day, days, 25)
    assert drift.since_earliest is not None
    assert drift.since_latest is not None
    block = timedelta(days=(32 + 8) / rows_a_day)
    assert drift.since_earliest - block <= EPOCH + days * DAY <= drift.since_latest + block
    assert scenario.all(AlertRaised)[0].alert_id == drift.finding_id
    assert scenario.all(WindowClosed)[-1].no_verdict is None
    since = summary(scenario.state, scenario.spec, scenario.reference).judged_since
    assert since.keys() >= {"inputs", "outputs", "loss"}
    assert since["loss"].timestamp() % window == 0.0
    # Inputs are judged at the first step of a window.
    assert scenario.state.tumbling is not None
    assert {since[group].timestamp() % window for group in ("inputs", "outputs")} == {
        scenario.state.tumbling.step / 1e6
    }
    assert max(since.values()) <= EPOCH + days * DAY + timedelta(seconds=2 * window)
    scenario.restart()
    assert summary(scenario.state, scenario.spec, scenario.reference).judged_since == since


@pytest.mark.slow
def test_a_reference_of_a_few_days_is_extended_by_live_rows_first() -> None:
    """There are 100 rows, and at least 160 are needed. After a hundred live rows an alert reports that."""
    scenario = sparse(10, 100)
    for day in range(2):
        scenario.day(day, count=10)
        scenario.close()
    stated, sentence = columns(scenario)["x"].needed, reason(scenario)
    assert stated > 160
    assert sentence
    assert "correlated" not in sentence, "the rows are independent, but few"
    days = until_judged(scenario, 10, first=2)
    assert stated <= 10 * days <= stated * 1.1 + 10 * 9
    for day in range(days, days + 8):
        scenario.day(day, count=10)
        scenario.close()
    raised, resolved = scenario.all(AlertRaised), scenario.all(AlertResolved)
    assert len({each.alert_id for each in raised}) == len(raised) == 2, "one for the inputs, one for the losses"
    assert {each.alert_id for each in raised} == {each.alert_id for each in resolved}
    assert all(each.raised_at >= EPOCH + 10 * DAY for each in raised)
    drift = shifted(scenario, 10, days + 8, 40)
    assert abs(drift.since - (EPOCH + (days + 8) * DAY)) <= 7 * DAY


def test_without_outcomes_the_inputs_alone_are_judged() -> None:
    scenario = sparse(48, 5_000)
    for day in range(12):
        scenario.day(day, count=48, labels=False)
        scenario.close()
    found = columns(scenario)
    assert {name for name, each in found.items() if each.judged} == {"x", "city", "output.score"}
    assert (found[None].rows, found[None].expected) == (0, None)
    missing = f"0 of about {found[None].needed:,} outcomes"
    assert (reason(scenario), scenario.all(WindowClosed)[-1].no_verdict) == (missing, missing)
