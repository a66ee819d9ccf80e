"""Chooses the version that answers a request by a hash of its key, so that a key always gets the same version."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def choose(position: float, shares: Sequence[float]) -> int:
    """Return the index of the share that contains `position`. Shares count relative to their sum.

    Raises:
        ValueError: no share is above zero.

    """
    total = sum(shares)
    if total <= 0:
        message = "no route has a share of the traffic: one must be above zero"
        raise ValueError(message)
    reached = 0.0
    for index, share in enumerate(shares):
        reached += share / total
        if share > 0 and position < reached:
            return index
    return max(index for index, share in enumerate(shares) if share > 0)
