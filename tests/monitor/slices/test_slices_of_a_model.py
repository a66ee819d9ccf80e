"""A model that predicts worse for one slice: its alert, its finding, its status, and a restart in between."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from rondo.contracts.events.monitoring import AlertRaised, PerformanceDegraded
from rondo.contracts.vocabularies import AlertKind, StatisticName
from rondo.monitor.evidence.reference import Reference
from rondo.monitor.report.page import report_page
from rondo.monitor.status.model_status import model_status, summary

from tests.monitor.builders import SPEC, instants, outcomes
from tests.monitor.scenarios import DailyScenario
from tests.monitor.streams import BINARY, REFERENCE_SECONDS, Data, Stream

if TYPE_CHECKING:
    from rondo.monitor.status.model_status import ModelStatus

CITY, WORSE = "c", 14


def outcomes_of_city(rng: np.random.Generator, data: Data, skill: float = 1.0) -> np.ndarray:
    """Return outcomes that follow the predictions with this skill in one city, which has a tenth of the rows."""
    worse = BINARY.outcomes(rng, data, skill)
    return np.where(data["city"] == CITY, worse, BINARY.outcomes(rng, data))


STREAM = Stream(BINARY.task, BINARY.rows, outcomes_of_city)
REFERENCE = Reference.of(STREAM.profile_of(10_000, REFERENCE_SECONDS / 5, slices=True), "one")


def status(scenario: DailyScenario) -> ModelStatus:
    return model_status(scenario.state, SPEC, REFERENCE)


@pytest.fixture(scope="module")
def seen() -> DailyScenario:
    scenario = DailyScenario(stream=STREAM, given=REFERENCE)
    for day in range(WORSE + 8):
        scenario.day(day, skill=0.0 if day >= WORSE else 1.0)
        scenario.close()
        if day in (3, WORSE + 2):
            scenario.restart()
    return scenario


@pytest.mark.medium
def test_a_drop_in_one_slice_is_a_finding_and_an_alert_of_its_own(seen: DailyScenario) -> None:
    first = seen.all(PerformanceDegraded)[0]
    (figure,) = first.statistics
    assert (figure.feature, figure.category, figure.statistic) == ("city", CITY, StatisticName.LOSS)
    assert figure.reference is not None
    assert figure.value > figure.reference
    assert first.since_latest is not None
    assert first.since_latest.day >= WORSE
    (alert,) = seen.all(AlertRaised)
    assert (alert.kind, alert.alert_id) == (AlertKind.SLICES, first.finding_id)
    assert seen.state.open_alerts == {"slices": first.finding_id}


@pytest.mark.medium
def test_the_status_and_the_report_name_the_slice_and_no_input(seen: DailyScenario) -> None:
    found = status(seen)
    changed = [each for each in found.columns if each.changed]
    assert [(each.group, each.column, each.value, each.name) for each in changed] == [
        ("slices", "city", CITY, "city c"),
    ]
    assert found.verdict.state == "worse"
    assert "city c" in found.verdict.sentence
    assert found.expected_harm is None, "the inputs have not changed"
    assert "<h3>city c</h3>" in report_page(found, ())


def test_a_slice_of_too_few_outcomes_is_in_the_summary_and_raises_no_alert() -> None:
    scenario = DailyScenario(stream=STREAM, given=REFERENCE)
    for day in range(2):
        scenario.day(day, count=60)
        scenario.close()
    found = summary(scenario.state, SPEC, REFERENCE).unjudged_slices
    assert found is not None
    assert found.startswith("slice city=")
    assert scenario.all(AlertRaised) == []


def test_losses_of_a_slice_are_counted_by_part_and_a_correction_moves_none() -> None:
    scenario = DailyScenario(stream=STREAM, given=REFERENCE)
    scenario.day(0, count=200)
    scenario.state.settle()
    (counts,) = (each.slices for each in scenario.state.windows.values())
    assert counts.parts > 10
    assert counts.loss_rows.sum() == 200
    assert (counts.loss_rows.sum(axis=0) > 0).sum() > 10
    ids, at = [f"0-1-{i}" for i in range(200)], instants(0, 200) + np.timedelta64(90, "m")
    scenario.add_outcomes(outcomes(list(ids), np.ones(200), at))
    scenario.state.settle()
    (corrected,) = (each.slices for each in scenario.state.windows.values())
    assert np.array_equal(corrected.loss_rows, counts.loss_rows)
    assert not np.array_equal(corrected.loss_sums, counts.loss_sums)
