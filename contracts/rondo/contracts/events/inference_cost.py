"""The cost of inferences: a text under the key `cost` in the metadata of some record batches of `predictions.log`.

It covers all inferences of the version since the previous record batch with a cost. A record batch without rows carries
the cost of a version that fails on every row, or that of the last inferences before a pause.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterable

KEY = "cost"
_MICROSECONDS = 1_000_000


@dataclass(frozen=True, slots=True)
class InferenceCost:
    """`micros` is the duration of each inference, `cpu_micros` the processor time of all of them.

    A duration is that of a micro-batch, because each of its rows waits for all of them. `rows` counts the rows with a
    prediction, `failed` those without. `memory` is the resident memory of the process with all of its models in bytes,
    and 0 where it is not known.
    """

    micros: tuple[int, ...] = ()
    cpu_micros: int = 0
    rows: int = 0
    failed: int = 0
    memory: int = 0

    @classmethod
    def measured(cls, seconds: float, cpu_seconds: float, rows: int, failed: int, memory: int) -> Self:
        return cls((round(seconds * _MICROSECONDS),), round(cpu_seconds * _MICROSECONDS), rows, failed, memory)

    @classmethod
    def total(cls, costs: Iterable[InferenceCost]) -> Self:
        """Return the cost of several periods together, with the memory of the last one."""
        found = list(costs)
        return cls(
            tuple(each for cost in found for each in cost.micros),
            sum(cost.cpu_micros for cost in found),
            sum(cost.rows for cost in found),
            sum(cost.failed for cost in found),
            found[-1].memory if found else 0,
        )

    @property
    def text(self) -> str:
        return json.dumps(
            [list(self.micros), self.cpu_micros, self.rows, self.failed, self.memory], separators=(",", ":")
        )

    @classmethod
    def parse(cls, text: str | None) -> Self:
        """Parse a cost. Zero if the text is missing, or malformed because another program wrote it."""
        try:
            micros, *others = json.loads(text or "[[],0,0,0,0]")
            known = [*micros, *others]
            if len(others) == 4 and all(type(each) is int and 0 <= each < 2**53 for each in known):  # noqa: PLR2004
                return cls(tuple(micros), *others)
        except (ValueError, TypeError):
            pass
        return cls()
