"""What inferences cost: a text in the metadata of some record batches of `predictions.log`, under the key `cost`.

It is about all inferences of the version since the record before that has one. A batch without rows has the cost of a
version that fails on every row.
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
    """`micros` is the duration of each inference, `cpu_micros` the time of all on a processor.

    A duration is that of a micro-batch: each of its rows waits for all of them. `rows` have a prediction, and `failed`
    ones have none.
    `memory` are the bytes that the process has in memory, with all of its models. 0 where it is not known.
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
        """Return the cost of all. The memory is the last one."""
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
        """Return what `text` gives. No cost where it is missing or malformed, as another writer's may be."""
        try:
            micros, *others = json.loads(text or "[[],0,0,0,0]")
            known = [*micros, *others]
            if len(others) == 4 and all(type(each) is int and 0 <= each < 2**53 for each in known):  # noqa: PLR2004
                return cls(tuple(micros), *others)
        except (ValueError, TypeError):
            pass
        return cls()
