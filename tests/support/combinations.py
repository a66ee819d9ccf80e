"""The combinations of parameters that a test runs with: few in `make test`, all of them in `make test-all`."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Sequence


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
