"""The cost of an inference in the metadata of the log."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rondo.contracts.events.inference_cost import InferenceCost

WHOLE = st.integers(0, 2**53 - 1)
COSTS = st.builds(InferenceCost, st.lists(WHOLE, max_size=5).map(tuple), WHOLE, WHOLE, WHOLE, WHOLE)


@given(COSTS)
def test_a_cost_is_read_back_as_it_was_written(cost: InferenceCost) -> None:
    assert InferenceCost.parse(cost.text) == cost


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "x",
        "[]",
        "[[1],2,3]",
        '[["1"],2,3,4,5]',
        "[[-1],2,3,4,5]",
        "[[1],2,3,4,1e400]",
        "7",
        "[[true],0,0,0,0]",
    ],
)
def test_a_text_of_another_writer_is_no_cost(text: str | None) -> None:
    assert InferenceCost.parse(text) == InferenceCost()


def test_costs_add_up_and_the_memory_is_the_last() -> None:
    one, two = InferenceCost((5, 6), 10, 8, 1, 100), InferenceCost((7,), 20, 9, 2, 90)
    assert InferenceCost.total([one, two]) == InferenceCost((5, 6, 7), 30, 17, 3, 90)
    assert InferenceCost.total([]) == InferenceCost()
