"""Determines the length of blocks of live rows that are about independent.

The first length comes from the holdout. If live rows are denser in time, the noise of single rows averages out in the
mean of a block, and the common variation of rows that are close in time remains: blocks of that length are no longer
independent. Means of longer blocks then vary more than those of independent blocks would (the design effect; Kish,
"Survey sampling", 1965).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from scipy.special import chdtri

from rondo.contracts.events.base import Value
from rondo.registry.rollout_evidence.blocks import Arms, Block, OpenBlock
from rondo.registry.rollout_evidence.interval import Moments

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

LENGTHS = (60.0, 600.0, 3_600.0, 21_600.0, 86_400.0)
# The variance of fewer blocks is too uncertain.
_FEWEST_BLOCKS = 6
_MOST_DESIGN_EFFECT = 1.25


class BlocksOfLength(Value):
    """The blocks of one length: the moments of the complete ones, and the open block."""

    seconds: float
    moments: Moments = Moments()
    open_block: OpenBlock | None = None

    def plus(self, start: datetime, part: Block | Arms) -> BlocksOfLength:
        number, held, moments = int(start.timestamp() // self.seconds), self.open_block, self.moments
        if held is not None and held.number != number:
            closed = held.closed()
            moments = moments if closed is None else moments.plus(closed.difference)
            held = None
        held = (held or OpenBlock(number=number)).plus(part)
        return BlocksOfLength(seconds=self.seconds, moments=moments, open_block=held)


Live = tuple[BlocksOfLength, ...]


def begin(seconds: float) -> Live:
    """Return the state of the present length and of the longer ones before any row."""
    return tuple(BlocksOfLength(seconds=each) for each in (seconds, *(each for each in LENGTHS if each > seconds)))


def plus(live: Live, parts: Iterable[tuple[datetime, Block | Arms]]) -> Live:
    """Return the blocks after more rows, which are in order of time."""
    for start, part in parts:
        live = tuple(each.plus(start, part) for each in live)
    return live


def length_needed(live: Live) -> BlocksOfLength | None:
    """Return the shortest longer length whose means show that the present blocks are not independent, or None."""
    present = live[0].moments
    for longer in live[1:]:
        count = longer.moments.count
        if count < _FEWEST_BLOCKS or not present.deviation:
            continue
        effect = (longer.moments.deviation / present.deviation) ** 2 * present.count / count
        if effect > _MOST_DESIGN_EFFECT * _by_chance(count - 1):
            return longer
    return None


def _by_chance(freedom: int) -> float:
    """Return the 95% quantile of a variance of `freedom` degrees relative to the true one."""
    return float(chdtri(freedom, 0.05)) / freedom
