"""Watches the columns of a version by the monitor's evidence, with the reference first and the live rows after it.

Columns are arrays of what is watched of each row, shape [components, rows]. Each has blocks of its own length; columns
with the same length share a test. A reference that is too short grows by quarters of live rows.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np
from rondo.chassis.profiles.components import components
from rondo.monitor.evidence.block_length import FEWEST_BLOCKS
from rondo.monitor.evidence.block_test import BlockTest
from rondo.monitor.evidence.stretches import Stretches, staged
from rondo.trainer.evaluation.reference_profile import numeric

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

GROUPS = 3
"""Inputs, outputs and loss: each has a third of the rate of false alarms."""


def column(values: NDArray[np.float32], reference: int) -> NDArray[np.float64]:
    """Return level, spread and missing of each row of a number, by the profile of the first `reference` rows."""
    profile = numeric(values[:reference])
    codes = np.searchsorted(np.asarray(profile.edges, np.float32), values, side="right")
    codes[np.isnan(values)] = len(profile.counts)
    return np.asarray(components(profile).values[codes].T)


def first_alarms(
    columns: Sequence[NDArray[np.float64]], reference: int, rates: Sequence[float], *, one_sided: bool = False
) -> list[int | None]:
    """Return for each rate after how many live rows the columns of a group raise an alarm; None if they never do.

    A rate is that of the version; the group has its share of it, divided by its components.
    """
    bounds = [float(np.log(sum(len(each) for each in columns) * GROUPS / rate)) for rate in rates]
    shared: dict[tuple[int, int], list[tuple[BlockTest, NDArray[np.float64]]]] = defaultdict(list)
    for number, values in enumerate(columns):
        known = reference
        while known <= values.shape[1] and (block := _block(values[:, :known])) is None:
            known = int(known * 1.25)
        if known <= values.shape[1] and block:
            begun = staged(str(number), [Stretches(1, 1.0, values[:, :known])], block, one_sided=one_sided)
            shared[known, block].append((begun.test, values[:, known:]))
    found: list[list[int]] = [[] for _ in bounds]
    for (known, block), tests in shared.items():
        for place, row in enumerate(_first_alarms(tests, block, bounds)):
            if row is not None:
                found[place].append(known - reference + row)
    return [min(each, default=None) for each in found]


def _block(reference: NDArray[np.float64]) -> int | None:
    """Return the rows of a block, None where the reference has too few of them."""
    stretches = Stretches(1, 1.0, reference)
    block = stretches.block()
    return block if stretches.total >= FEWEST_BLOCKS * block else None


def _first_alarms(
    tests: list[tuple[BlockTest, NDArray[np.float64]]], block: int, bounds: Sequence[float]
) -> list[int | None]:
    """Return the rows until the evidence of any component reaches each bound."""
    means = np.concatenate([test.means for test, _ in tests])
    normal = np.concatenate([test.normal for test, _ in tests])
    test = BlockTest.of(tests[0][0].seed, means, normal, one_sided=tests[0][0].one_sided)
    live = np.concatenate([values for _, values in tests])
    count, found = live.shape[1] // block, dict[float, int]()
    blocks = live[:, : count * block].reshape(len(live), count, block).mean(axis=2)
    for number in range(count):
        test = test.with_blocks(blocks[:, number : number + 1])
        evidence = float(test.evidence().max()) if test.is_look else 0.0
        found |= {bound: (number + 1) * block for bound in bounds if bound <= evidence and bound not in found}
        if len(found) == len(bounds):
            break
    return [found.get(bound) for bound in bounds]
