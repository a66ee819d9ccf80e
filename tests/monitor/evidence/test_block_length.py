"""The length of blocks: at least 32 rows, longer where rows remember or are many."""

from __future__ import annotations

from rondo.monitor.evidence.block_length import block_length


def test_independent_rows_have_the_shortest_blocks() -> None:
    assert block_length(1.0, 5_000) == 32


def test_a_large_reference_has_at_most_a_thousand_blocks() -> None:
    assert block_length(1.0, 1_000_000) == 1_000
    assert block_length(300.0, 1_000_000) == 1_500
