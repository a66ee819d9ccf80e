"""Which predictions were landed lately: enough to say how many outcomes met one, and no more than that."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

Names = tuple[str | None, str | None]


class Recent:
    """The ids and entities of a model's last `limit` predictions, since this process started.

    An outcome that comes later than that, or after a restart, is not counted as joined; the training set joins it
    all the same, from the tables. So this is a lower bound, kept for the price of a set.
    """

    def __init__(self, limit: int = 500_000) -> None:
        self._limit = limit
        self._known: dict[str, set[str]] = {}
        self._order: dict[str, deque[list[str]]] = {}

    def add(self, model: str, ids: Iterable[str | None], entities: Iterable[str | None]) -> None:
        """Remember the predictions of a micro-batch."""
        names = [f"i{name}" for name in ids if name is not None] + [f"e{name}" for name in entities if name is not None]
        known = self._known.setdefault(model, set())
        order = self._order.setdefault(model, deque())
        known.update(names)
        order.append(names)
        while len(known) > 2 * self._limit and len(order) > 1:
            known.difference_update(order.popleft())

    def met(self, model: str, ids: Iterable[str | None], entities: Iterable[str | None]) -> int:
        """Count the outcomes whose prediction is remembered: by its id, or else by its entity."""
        known = self._known.get(model, set())
        return sum(
            f"i{name}" in known if name is not None else f"e{entity}" in known
            for name, entity in zip(ids, entities, strict=True)
        )
