"""Rows and outcomes that arrive late, twice or out of order: their effect on windows, evidence and performance."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest
from rondo.contracts.events import logs
from rondo.contracts.events.monitoring import WindowClosed
from rondo.monitor.alerts.dropped_rows import REASONS
from rondo.monitor.report.page import report_page
from rondo.monitor.status.model_status import model_status
from rondo.monitor.status.not_counted import not_counted

from tests.monitor.builders import EPOCH, REFERENCE, SPEC, instants, outcomes, predictions, rows, times
from tests.monitor.scenarios import DailyScenario

COUNT, DAYS = 300, 6


def filled(order: np.ndarray | None = None, *, twice: bool = False, batches: int = 1) -> DailyScenario:
    """Return a model after some days whose outcomes arrive in this order, in `batches` batches, or twice each."""
    scenario = DailyScenario()
    for day in range(DAYS):
        scenario.day(day, count=COUNT, labels=False)
        ids, at = np.array([f"{day}-1-{i}" for i in range(COUNT)]), instants(day, COUNT) + np.timedelta64(1, "h")
        truth = (np.random.default_rng(day).random(COUNT) < 0.5).astype(np.float64)
        chosen = np.arange(COUNT) if order is None else order
        for part in np.array_split(chosen, batches) * (2 if twice else 1):
            scenario.add_outcomes(outcomes(ids[part].tolist(), truth[part], at[part]))
            scenario.state.settle()
        scenario.close()
    return scenario


@pytest.mark.medium
def test_outcomes_that_come_twice_or_in_another_order_change_nothing() -> None:
    expected = filled()
    assert sum(each.labelled_rows for each in expected.all(WindowClosed)) == (DAYS - 1) * COUNT
    shuffled = np.random.default_rng(1).permutation(COUNT)
    for found in (filled(twice=True), filled(shuffled, batches=7), filled(shuffled, batches=3, twice=True)):
        assert found.published == expected.published
        bounds = found.state.evidence.versions[1].loss_bounds
        assert bounds == expected.state.evidence.versions[1].loss_bounds
        assert found.state.dropped.counts == dict.fromkeys(REASONS, 0)


@pytest.mark.medium
def test_an_outcome_after_its_window_closed_changes_neither_window_nor_evidence() -> None:
    expected, found = filled(), filled()
    late = [f"0-1-{i}" for i in range(40)] + ["0-1-0"]
    found.add_outcomes(outcomes(late, np.ones(len(late)), times(DAYS, len(late))))
    for scenario in (expected, found):
        scenario.close()
        scenario.day(DAYS, count=COUNT, labels=False)
        scenario.close()
    assert found.published == expected.published
    bounds = found.state.evidence.versions[1].loss_bounds
    assert bounds == expected.state.evidence.versions[1].loss_bounds
    # Those predictions had an outcome, and no row of theirs waits for one any more.
    assert found.state.windows == expected.state.windows


@pytest.mark.medium
def test_requests_of_weeks_ago_are_in_no_figure_and_are_said_to_be_left_out() -> None:
    expected, found = filled(), filled()
    old = predictions(rows(np.random.default_rng(2), 500), times(-21, 500), [f"old-{i}" for i in range(500)])
    made = pa.array([EPOCH + timedelta(days=DAYS)] * 500, logs.TIMESTAMP)
    found.state.count_predictions(old.set_column(3, "made_at", made), 1, REFERENCE)
    found.add_outcomes(outcomes(["old-1"], np.ones(1), times(-20, 1)))
    for scenario in (expected, found):
        scenario.day(DAYS, count=COUNT)
        scenario.close()
    assert found.published == expected.published
    assert found.state.dropped.counts["late_rows"] == 500
    assert found.state.unmatched.outcomes.num_rows == expected.state.unmatched.outcomes.num_rows
    status = model_status(found.state, SPEC, REFERENCE)
    (said,) = status.not_counted
    assert said.startswith("500 requests")
    assert said in report_page(status, ())


def test_each_reason_is_said_and_none_that_has_not_occurred() -> None:
    assert not_counted(dict.fromkeys(REASONS, 0), 0) == ()
    assert len(not_counted(dict.fromkeys(REASONS, 1_234), 7)) == len(REASONS) + 1
    assert all(line.startswith(("1,234 ", "7 ")) for line in not_counted(dict.fromkeys(REASONS, 1_234), 7))
