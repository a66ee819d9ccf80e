"""The rows of the newest distributions: those of the newest windows that have enough rows together."""

from __future__ import annotations

import pytest
from rondo.monitor.model_state import ModelState
from rondo.monitor.status.model_status import ModelStatus, model_status
from rondo.monitor.windows.recent_windows import MIN_ROWS, RecentWindows

from tests.monitor.builders import EPOCH, REFERENCE, SPEC, spec
from tests.monitor.scenarios import CHAMPION, NEXT, DailyScenario


def scenario(days: int, *, count: int = 1_000, label_delay: str = "2h") -> DailyScenario:
    with_delay = spec().model_dump()
    with_delay["data"]["label_delay"] = label_delay
    found = DailyScenario(type(SPEC).model_validate(with_delay))
    for day in range(days):
        found.day(day, count=count)
        found.close()
    return found


def status(found: DailyScenario) -> ModelStatus:
    return model_status(found.state, SPEC, REFERENCE)


def days(found: DailyScenario) -> tuple[int, int, int, bool]:
    """Return the first day of the newest rows, the day after the last, their number, and whether all have arrived."""
    newest = status(found).newest
    assert newest
    return (newest.start - EPOCH).days, (newest.end - EPOCH).days, newest.rows, newest.complete


@pytest.mark.medium
def test_windows_that_wait_for_outcomes_show_their_rows() -> None:
    found = scenario(4, label_delay="30d")
    assert (status(found).newest_closed, len(status(found).windows)) == (None, 4)
    assert days(found) == (2, 3, 1_000, True)
    newest = status(found).newest
    assert newest
    assert {each.column for each in newest.columns} == {"x", "city", "output.score"}


@pytest.mark.parametrize("delay", ["2h", "30d"])
@pytest.mark.medium
def test_small_windows_are_combined_until_they_have_enough_rows(delay: str) -> None:
    """Closed windows are combined into halves of at least `MIN_ROWS` rows, so that old windows can be discarded."""
    first, end, rows, complete = days(scenario(31, count=60, label_delay=delay))
    assert (end, complete) == (30, True)
    assert rows == 60 * (end - first)
    assert MIN_ROWS <= rows < (MIN_ROWS + 60 if delay == "30d" else 2 * MIN_ROWS + 60)


def test_closed_windows_show_rows_and_performance() -> None:
    found = scenario(4)
    assert days(found) == (2, 3, 1_000, True)
    closed = status(found).newest_closed
    assert closed
    assert (closed.rows, closed.labelled_rows, (closed.start - EPOCH).days) == (1_000, 1_000, 2)
    assert {"roc_auc"} <= {each.statistic for each in closed.statistics}


def test_without_an_ended_window_the_one_that_fills_is_shown() -> None:
    assert days(scenario(1)) == (0, 1, 1_000, False)
    assert status(scenario(1)).newest_closed is None


@pytest.mark.parametrize("count", [60, 1_000])
@pytest.mark.medium
def test_closed_windows_survive_a_restart_and_not_another_version(count: int) -> None:
    found = scenario(14, count=count)
    before = found.state.recent
    assert (before.full is None, before.filling is None) == (False, count == 1_000)
    found.restart()
    assert found.state.recent == before
    found.promote(CHAMPION)
    assert found.state.recent == before
    found.promote(NEXT)
    assert found.state.recent == RecentWindows()


@pytest.mark.medium
def test_a_removal_and_other_windows_discard_the_closed_ones() -> None:
    found = scenario(4)
    found.state.apply_spec(spec(window="1h"))
    assert found.state.recent == RecentWindows()
    other = scenario(4)
    other.state.remove(2)
    assert other.state.recent == RecentWindows()


def test_before_any_row_there_is_no_window() -> None:
    found = model_status(ModelState("loans"), SPEC, REFERENCE)
    assert (found.newest, found.newest_closed, found.windows) == (None, None, ())
