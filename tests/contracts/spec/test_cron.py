"""A cron expression that the registry's scheduler takes is never called wrong when the file is read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rondo.contracts.spec import cron
from rondo.registry.schedule import cron as schedule

NUMBERS = st.integers(0, 70).map(str)
ITEMS = st.one_of(
    st.just("*"),
    NUMBERS,
    # Of ranges that don't rise croniter makes something of its own, even of the month 0-0.
    st.lists(st.integers(0, 70), min_size=2, max_size=2, unique=True).map(
        lambda ends: "-".join(map(str, sorted(ends)))
    ),
    st.tuples(st.one_of(st.just("*"), st.just("1-5")), NUMBERS).map("/".join),
    st.sampled_from(["mon", "FRI", "jan", "l", "mon-fri"]),
)
FIELDS = st.lists(ITEMS, min_size=1, max_size=2).map(",".join)


@given(st.lists(FIELDS, min_size=5, max_size=5).map(" ".join))
def test_what_is_called_wrong_is_never_due(expression: str) -> None:
    if list(cron.faults(expression)):
        assert not schedule.is_valid(expression)


@pytest.mark.parametrize(
    ("expression", "problems"),
    [
        ("0 3 * * 1", []),
        ("*/90 0-23/2 1,31 jan-dec 7", []),
        ("60 24 0 13 8", ["minute", "hour", "day", "month", "weekday"]),
        ("0 3-25 * * 1", ["hour"]),
    ],
)
def test_each_number_has_its_bounds(expression: str, problems: list[str]) -> None:
    assert [problem.partition(":")[0].split()[-1] for problem in cron.faults(expression)] == problems
