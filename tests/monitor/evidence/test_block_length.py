"""The length of blocks: at least 32 rows, longer where rows are correlated or many, rounded up to a few lengths."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rondo.monitor.evidence.block_length import block_length, shortest_of


def test_independent_rows_have_the_shortest_blocks() -> None:
    assert block_length(1.0, 5_000) == 32


@pytest.mark.parametrize(("time", "rows", "needed"), [(1.0, 1_000_000, 1_000), (300.0, 1_000_000, 1_500)])
def test_many_rows_and_a_long_memory_make_longer_blocks(time: float, rows: int, needed: int) -> None:
    assert needed <= block_length(time, rows) <= 1.25 * needed + 1


@given(st.floats(1, 1e6), st.integers(0, 10**10))
def test_a_block_is_at_least_as_long_as_needed_and_at_most_a_quarter_longer(time: float, rows: int) -> None:
    needed = max(32.0, 5 * time, rows / 1_000)
    assert needed * (1 - 1e-6) <= block_length(time, rows) <= 1.25 * needed + 1


def test_similar_memories_share_a_length() -> None:
    assert len({block_length(20.0 + n / 100, 1_000) for n in range(100)}) <= 2


@pytest.mark.parametrize(("rows", "shortest"), [(100, 32), (160, 8), (400, 16), (5_000, 32)])
def test_a_reference_of_few_blocks_has_shorter_ones(rows: int, shortest: int) -> None:
    """With ranks among fewer, longer blocks even losses of 1 instead of 0 were not evident at any time."""
    assert shortest_of(rows) == shortest
