"""Whether the monitor sees the rows at all: the share that counts in no window, in blocks of rows.

Rows that are late, ahead of their time or without a profile are in no figure. If they are many, silence says nothing
about the model, and people have to hear that; no window may ever close to tell them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from rondo.monitor.alerts.hysteresis import Alarm, Change, step

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

BLOCK_ROWS = 500
# A window that lacks a tenth of its rows still tells of a change; with more missing nobody knows of what.
MOST_LEFT_OUT = 0.1
_CONSECUTIVE = 2


@dataclass(frozen=True)
class Coverage:
    """`rows` of the block that is being filled, `left_out` of them, and the number of full `blocks` before it.

    `last` is the share of the last full one that counts in no window: of a few rows a share says nothing.
    """

    rows: int = 0
    left_out: int = 0
    blocks: int = 0
    alarm: Alarm = field(default_factory=Alarm)
    last: float = 0.0

    @property
    def share(self) -> float:
        """The share of the block's rows that count in no window."""
        return self.left_out / self.rows if self.rows else 0.0


@dataclass(frozen=True)
class Turn:
    """What a full block changed; `block` is the coverage at its end, with the alarm from before it."""

    change: Change
    block: Coverage


def observe(coverage: Coverage, left_out: NDArray[np.bool_]) -> tuple[Coverage, list[Turn]]:
    """Take in rows in their order; the blocks are cut by the number of rows alone, however those arrive."""
    if not (coverage.left_out or left_out.any()) and coverage.alarm == Alarm():
        blocks, rows = divmod(coverage.rows + left_out.size, BLOCK_ROWS)
        last = 0.0 if blocks else coverage.last
        return replace(coverage, rows=rows, blocks=coverage.blocks + blocks, last=last), []
    turns: list[Turn] = []
    while coverage.rows + left_out.size >= BLOCK_ROWS:
        room = BLOCK_ROWS - coverage.rows
        block = _filled(coverage, left_out[:room])
        alarm, change = step(block.alarm, block.share > MOST_LEFT_OUT, block.blocks, _CONSECUTIVE)
        if change == "raised":
            alarm = replace(alarm, alert_id=str(block.blocks))
        if change in {"raised", "recovered"}:
            turns.append(Turn(change, block))
        coverage, left_out = Coverage(0, 0, block.blocks + 1, alarm, block.share), left_out[room:]
    return _filled(coverage, left_out), turns


def _filled(coverage: Coverage, left_out: NDArray[np.bool_]) -> Coverage:
    return replace(coverage, rows=coverage.rows + left_out.size, left_out=coverage.left_out + int(left_out.sum()))
