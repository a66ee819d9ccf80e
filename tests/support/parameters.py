"""The parameters of tests that `make test` runs, where all of them would take too long. `make test-all` runs all.

`combinations` returns those of several axes. `@pytest.mark.sampled(4)` keeps four of any parameters, evenly spread.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def combinations(*axes: Sequence[Any]) -> list[Any]:
    """Return all combinations of the values of parameters. All are slow, except a few that cover each value once."""
    quick = {tuple(number % len(axis) for axis in axes) for number in range(max(map(len, axes)))}
    return [
        pytest.param(
            *(axis[place] for axis, place in zip(axes, places, strict=True)),
            marks=() if places in quick else pytest.mark.slow,
        )
        for places in product(*(range(len(axis)) for axis in axes))
    ]


def mark_samples(items: Iterable[pytest.Item]) -> None:
    """Mark the parameters that are left out of the sample as slow."""
    tests = defaultdict[str, list[pytest.Item]](list)
    for item in items:
        if item.get_closest_marker("sampled"):
            tests[item.nodeid.split("[", 1)[0]].append(item)
    for parameters in tests.values():
        kept = sample(len(parameters), *parameters[0].get_closest_marker("sampled").args)  # type: ignore[union-attr]
        for place, item in enumerate(parameters):
            if place not in kept:
                item.add_marker(pytest.mark.slow)


def sample(count: int, size: int) -> set[int]:
    """Return `size` places among `count`, evenly spread, the first and the last included if there are two or more."""
    if size == 1:
        return {0}
    return {round(place * (count - 1) / (size - 1)) for place in range(size)}
