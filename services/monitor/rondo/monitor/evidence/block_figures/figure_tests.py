"""The tests of the figures that users' detectors have of blocks: each figure is ranked among those before it.

A detector may return any numbers. If the blocks are exchangeable and a figure is a function of its block alone, the
figures are exchangeable, too. Their ranks are then independent and uniform, and the bets on them a martingale, whatever
the function is (Vovk, "Testing randomness online", Statistical Science 2021). Bets on the figures themselves would need
assumptions, so there are none.

The training has no counts of blocks, so the first live blocks are the reference. Where blocks become longer, because
traffic is denser, the next ones are the reference of a further stage. Blocks without a figure are left out: whether a
detector raises an error is a function of the block as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from rondo.monitor.evidence.block_test import BlockTest
from rondo.monitor.evidence.component_sums import DETECTORS, Component
from rondo.monitor.evidence.ranking import on_grid
from rondo.monitor.evidence.staged_test import Buckets, StagedTest

if TYPE_CHECKING:
    from collections.abc import Iterable

BLOCKS_OF_REFERENCE = 10
"""The number of the first figures, among which the next ones are ranked."""


def figure_component(detector: str, column: str, key: str) -> Component:
    """Return the component of a detector's figure of a column. `key` is its name if there are several, or empty."""
    name = f"{detector}.{key}" if key else detector
    return Component(DETECTORS, column, name, 0, name)


def detector_of(component: Component) -> str:
    """Return the detector, `package.module:Class`, whose figure the component is."""
    module, _, kind = component.name.partition(":")
    return f"{module}:{kind.partition('.')[0]}"


class BlockSpan(NamedTuple):
    """A block with a figure: from `start` to `end` in microseconds, with `rows` rows."""

    start: int
    end: int
    rows: int


def with_figure(
    state: StagedTest | None,
    seed: str,
    figure: float,
    block: BlockSpan,
    *,
    run_length: bool = False,
    is_longer: bool = False,
) -> StagedTest:
    """Return the test with the figure of the next block. `state` is None before the first one. It may be changed.

    `run_length` is the form of the evidence, see `BlockTest`. `is_longer` is true if the block has more rows than those
    of the figures before.
    """
    value = float(on_grid(np.array(figure)))
    if state is None:
        return StagedTest(_reference(seed, [value], run_length=run_length), block.rows)
    if is_longer:
        state.begin_again(_reference(f"{seed}/{block.rows}", [value], run_length=run_length), block.rows)
        state.rows += block.rows
        return state
    if not state.test.live and state.test.reference < BLOCKS_OF_REFERENCE:
        values = [*state.test.means[0].tolist(), value]
        state.begin_again(_reference(state.test.seed, values, run_length=run_length), block.rows)
        state.rows += block.rows
        return state
    starts, rows = np.array([block.start], np.int64), np.array([block.rows], np.int64)
    state.take(Buckets(starts, rows, np.array([[value * block.rows]]), block.end - block.start))
    return state


def _reference(seed: str, values: Iterable[float], *, run_length: bool) -> BlockTest:
    means, normal = np.array([list(values)]), np.zeros(1, np.bool_)
    return BlockTest.of(seed, means, normal, one_sided=False, run_length=run_length)
