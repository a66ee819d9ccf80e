"""Which predictions were landed lately: enough to say how many outcomes met one, and no more than that."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class Recent:
    """The ids and entities of a model's last `limit` predictions, since this process started.

    An outcome that comes later than that, or after a restart, is not counted as joined; the training set joins it
    all the same, from the tables. So this is a lower bound, kept for the price of a set.
    """

    def __init__(self, limit: int = 100_000) -> None:
        self._limit = limit
        # By model: each name with the number of the last micro-batch that had it, and the micro-batches in order.
        self._known: dict[str, dict[str, int]] = {}
        self._order: dict[str, deque[tuple[int, list[str]]]] = {}
        self._number = 0

    def add(self, model: str, ids: Iterable[str | None], entities: Iterable[str | None]) -> None:
        """Remember the predictions of a micro-batch."""
        self._number += 1
        names = [f"i{name}" for name in ids if name is not None] + [f"e{name}" for name in entities if name is not None]
        known = self._known.setdefault(model, {})
        order = self._order.setdefault(model, deque())
        known.update(dict.fromkeys(names, self._number))
        order.append((self._number, names))
        while len(known) > 2 * self._limit and len(order) > 1:
            number, oldest = order.popleft()
            for name in oldest:
                if known.get(name) == number:
                    del known[name]

    def met(self, model: str, ids: Iterable[str | None], entities: Iterable[str | None]) -> int:
        """Count the outcomes whose prediction is remembered: by its id, or else by its entity."""
        known = self._known.get(model, {})
        return sum(
            f"i{name}" in known if name is not None else f"e{entity}" in known
            for name, entity in zip(ids, entities, strict=True)
        )
