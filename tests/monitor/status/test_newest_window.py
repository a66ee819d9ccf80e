"""Which window shows the newest distributions: the newest one whose rows are all there."""

from __future__ import annotations

from rondo.monitor.model_state import ModelState
from rondo.monitor.status_view import model_status

from tests.monitor.builders import REFERENCE, SPEC, spec
from tests.monitor.scenarios import CHAMPION, NEXT, DailyScenario


def scenario(days: int, *, label_delay: str = "2h") -> DailyScenario:
    with_delay = spec().model_dump()
    with_delay["data"]["label_delay"] = label_delay
    found = DailyScenario(type(SPEC).model_validate(with_delay))
    for day in range(days):
        found.day(day)
        found.close()
    return found


def test_a_window_that_waits_for_outcomes_shows_the_rows() -> None:
    status = model_status(scenario(4, label_delay="30d").state, SPEC, REFERENCE)
    assert (status.last_closed, len(status.windows)) == (None, 4)
    assert status.newest
    assert (status.newest.complete, status.newest.start) == (True, status.windows[2].start)
    assert {each.column for each in status.newest.columns} == {"x", "city", "output.score"}


def test_the_newest_closed_window_shows_rows_and_performance() -> None:
    status = model_status(scenario(4).state, SPEC, REFERENCE)
    assert status.newest
    assert status.last_closed
    assert status.newest.start == status.last_closed.start < status.windows[0].start
    assert {"roc_auc"} <= {each.statistic for each in status.last_closed.statistics}


def test_without_an_ended_window_the_one_that_fills_is_shown() -> None:
    status = model_status(scenario(1).state, SPEC, REFERENCE)
    assert status.newest
    assert (status.newest.complete, status.last_closed) == (False, None)


def test_the_last_closed_window_survives_a_restart_and_not_another_version() -> None:
    found = scenario(4)
    before = found.state.last_closed
    found.restart()
    assert before is not None
    assert found.state.last_closed == before
    found.promote(CHAMPION)
    assert found.state.last_closed == before
    found.promote(NEXT)
    assert found.state.last_closed is None


def test_a_removal_and_other_windows_discard_the_last_closed_window() -> None:
    found = scenario(4)
    found.state.apply_spec(spec(window="1h"))
    assert found.state.last_closed is None
    other = scenario(4)
    other.state.remove(2)
    assert other.state.last_closed is None


def test_before_any_row_there_is_no_window() -> None:
    state = ModelState("loans")
    status = model_status(state, SPEC, REFERENCE)
    assert (status.newest, status.last_closed, status.windows) == (None, None, ())
