"""Stores the recently landed predictions, to count the outcomes that belong to one of them."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class RecentPredictions:
    """The ids and entities of each model's last `limit` predictions since this process started.

    An outcome that arrives later, or after a restart, is not counted as joined. So the count is a lower bound. The
    training set joins all outcomes from the tables.
    """

    def __init__(self, limit: int = 100_000) -> None:
        self._limit = limit
        # For each model: each key with the number of the last micro-batch that had it, and the micro-batches in order.
        self._known: dict[str, dict[str, int]] = {}
        self._order: dict[str, deque[tuple[int, list[str]]]] = {}
        self._number = 0

    def add(self, model: str, ids: Iterable[str | None], entities: Iterable[str | None]) -> None:
        """Add the predictions of a micro-batch and evict the oldest beyond the limit."""
        self._number += 1
        keys = [f"i{name}" for name in ids if name is not None] + [f"e{name}" for name in entities if name is not None]
        known = self._known.setdefault(model, {})
        order = self._order.setdefault(model, deque())
        known.update(dict.fromkeys(keys, self._number))
        order.append((self._number, keys))
        while len(known) > 2 * self._limit and len(order) > 1:
            number, oldest = order.popleft()
            for key in oldest:
                if known.get(key) == number:
                    del known[key]

    def count_joined(self, model: str, ids: Iterable[str | None], entities: Iterable[str | None]) -> int:
        """Count the outcomes whose prediction is known: by its id, or else by its entity."""
        known = self._known.get(model, {})
        return sum(
            f"i{name}" in known if name is not None else f"e{entity}" in known
            for name, entity in zip(ids, entities, strict=True)
        )
