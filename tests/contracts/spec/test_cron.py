"""Valid cron expressions, and the errors of invalid ones."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rondo.contracts.spec import cron

START = datetime(2013, 3, 1, tzinfo=UTC)
FIELDS = st.text(alphabet=st.sampled_from(list("0123456789*/,-LW#monfrijan")), min_size=1, max_size=6)


@pytest.mark.parametrize(
    "expression", ["0 3 * * 1", "*/30 0-23/2 1,31 jan-dec 7", "0 0 29 2 *", "0 0 * * fri", "0 3 * * 1 Asia/Tokyo"]
)
def test_a_valid_expression_has_no_problem(expression: str) -> None:
    assert cron.problem(expression) is None
    assert cron.next_due(expression, START) > START


@pytest.mark.parametrize(
    ("expression", "field"),
    [
        ("60 3 * * 1", "minute"),
        ("*/0 3 * * 1", "minute"),
        ("0 3-25 * * 1", "hour"),
        ("0 3 0 * 1", "day"),
        ("0 3 * 13 1", "month"),
        ("0 3 * * 8", "weekday"),
    ],
)
def test_the_field_that_is_invalid_is_named(expression: str, field: str) -> None:
    found = cron.problem(expression)
    assert found is not None
    assert found.partition(":")[0].endswith(f" {field}")


@pytest.mark.parametrize(
    "expression", ["", "@daily", "* * * * * *", "0 0 30 2 *", "0 3 * * 1 Berlin", "0 3 * * 1 UTC UTC"]
)
def test_what_is_never_due_is_a_problem(expression: str) -> None:
    assert cron.problem(expression)


@given(st.lists(FIELDS, min_size=5, max_size=5).map(" ".join))
def test_a_valid_schedule_has_a_next_time(expression: str) -> None:
    if cron.problem(expression) is None:
        assert cron.next_due(expression, START) > START


@pytest.mark.parametrize(
    ("expression", "day"),
    [("0 3 2 * 1", 2), ("0 3 */2 * 1", 11), ("0 3 1 * *", 1)],
)
def test_a_day_and_a_weekday_are_either_unless_one_begins_with_an_asterisk(expression: str, day: int) -> None:
    """The first Mondays of March 2013 were the 4th and the 11th."""
    assert cron.next_due(expression, START).day == day
