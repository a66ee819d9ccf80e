"""The share of rows that count in no window."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from rondo.monitor.alerts.coverage import BLOCK_ROWS, Coverage, observe


def flags(*blocks: float) -> np.ndarray:
    """Return full blocks, of whose rows a share is left out."""
    rows = np.arange(BLOCK_ROWS) / BLOCK_ROWS
    return np.concatenate([rows < share for share in blocks])


def changes(*blocks: float) -> list[tuple[str, int]]:
    return [(turn.change, turn.block.blocks) for turn in observe(Coverage(), flags(*blocks))[1]]


def test_one_block_is_not_enough_and_a_tenth_is_not_too_much() -> None:
    assert changes(0, 1, 0, 1, 0) == []
    assert changes(0.1, 0.1, 0.1) == []


def test_two_blocks_in_a_row_are_told_once_and_two_good_ones_end_it() -> None:
    assert changes(0, 0.2, 0.2, 1, 1, 0, 1, 0, 0, 0) == [("raised", 2), ("recovered", 8)]


def test_the_block_that_is_told_of_has_its_share() -> None:
    (turn,) = observe(Coverage(), flags(0.5, 0.25))[1]
    assert (turn.block.share, turn.block.rows) == (0.25, BLOCK_ROWS)


def test_the_share_is_that_of_the_last_full_block() -> None:
    coverage, _ = observe(Coverage(), np.ones(1, np.bool_))
    assert coverage.last == 0
    coverage, _ = observe(coverage, np.arange(BLOCK_ROWS) < 100)
    assert (coverage.last, coverage.rows) == (101 / BLOCK_ROWS, 1)
    coverage, _ = observe(coverage, np.zeros(BLOCK_ROWS - 1, np.bool_))
    assert coverage.last == 0
    clean, _ = observe(Coverage(last=0.5), np.zeros(BLOCK_ROWS, np.bool_))
    assert clean.last == 0


@given(st.lists(st.sampled_from([0.0, 0.05, 0.5, 1.0]), max_size=8), st.data())
def test_it_does_not_depend_on_how_the_rows_arrive(blocks: list[float], data: st.DataObject) -> None:
    rows = flags(*blocks, 0.5)[: -BLOCK_ROWS // 2]
    cuts = sorted(data.draw(st.lists(st.integers(0, rows.size), max_size=5)))
    coverage, turns = Coverage(), []
    for first, end in pairwise([0, *cuts, rows.size]):
        coverage, more = observe(coverage, rows[first:end])
        turns += more
    assert (coverage, turns) == observe(Coverage(), rows)
