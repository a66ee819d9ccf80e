"""Blocks of time. Their mean differences of losses are the pieces of evidence of a rollout."""

from __future__ import annotations

from rondo.contracts.events.base import Value


class Block(Value):
    """The outcomes of a complete block of time: their number, and the mean loss of candidate minus champion."""

    rows: int
    difference: float


class Arms(Value):
    """The outcomes of a time: the mean losses of the requests that each version answered, in equal shares."""

    rows: int
    loss: float
    champion_rows: int
    champion_loss: float


class OpenBlock(Value):
    """A block that is not complete: its number since the epoch, its rows, and the sum of differences.

    If each version has separate requests, `rows` and `total` are the number and the losses of the candidate's requests,
    and `champion_rows` and `champion_total` those of the champion's requests.
    """

    number: int
    rows: int = 0
    total: float = 0.0
    champion_rows: int | None = None
    champion_total: float = 0.0

    def plus(self, part: Block | Arms) -> OpenBlock:
        update: dict[str, float] = {"rows": self.rows + part.rows}
        if isinstance(part, Block):
            update["total"] = self.total + part.rows * part.difference
        else:
            update["total"] = self.total + part.rows * part.loss
            update["champion_rows"] = (self.champion_rows or 0) + part.champion_rows
            update["champion_total"] = self.champion_total + part.champion_rows * part.champion_loss
        return self.model_copy(update=update)

    def closed(self) -> Block | None:
        """Return the difference of the complete block. None if only one version has rows in it."""
        if self.champion_rows is None:
            return Block(rows=self.rows, difference=self.total / self.rows)
        if not self.rows or not self.champion_rows:
            return None
        difference = self.total / self.rows - self.champion_total / self.champion_rows
        return Block(rows=self.rows + self.champion_rows, difference=difference)
