"""Builders of consecutive buckets of rows, of a minute each, some of them in parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from rondo.chassis.profiles.components import in_units
from rondo.monitor.evidence.staged_test import Buckets

from tests.monitor.builders import predictions, times

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rondo.monitor.evidence.component_sums import Group

    from tests.monitor.streams import Stream

MINUTE = 60_000_000


def exact(values: np.ndarray) -> np.ndarray:
    """Return the values at the resolution of components."""
    return in_units(values)


def buckets_of(values: np.ndarray, rows: int | np.ndarray, first: int = 0) -> Buckets:
    """Return buckets of the values of rows, shape `[components, rows]`. `rows` is the number of rows in each bucket."""
    count = values.shape[1]
    sizes = np.full(count // rows, rows) if isinstance(rows, int) else rows
    ends = np.cumsum(sizes)
    sums = np.concatenate((np.zeros((len(values), 1)), np.cumsum(exact(values), axis=1)), axis=1)
    starts = MINUTE * (first + np.arange(len(sizes), dtype=np.int64))
    return Buckets(starts, sizes.astype(np.int64), (sums[:, ends] - sums[:, ends - sizes]).T, MINUTE)


def live(stream: Stream, rows: int, *, shift: float = 0.0, seed: int = 3, first: int = 0) -> dict[Group, Buckets]:
    """Return buckets of live rows of a stream by group, ten rows a minute, from minute `first` on."""
    rng = np.random.default_rng(seed)
    data, count = stream.rows(rng, rows, shift), rows // 10
    table = predictions(data, times(0, rows), ["i"] * rows)
    counts = stream.reference.binning.count_groups(table, np.arange(rows) // 10, count)
    starts, full = MINUTE * (first + np.arange(count)), np.full(count, 10)
    loss = stream.profile.loss
    assert loss is not None
    means = np.column_stack([loss.means, *([] if loss.uncovered is None else [loss.uncovered])])
    sums: dict[Group, np.ndarray] = {
        "inputs": stream.reference.components.sums("inputs", counts),
        "outputs": stream.reference.components.sums("outputs", counts),
        "loss": exact(loss.rows * means[rng.integers(len(means), size=count)]) * 10 / loss.rows,
    }
    return {group: Buckets(starts, full, each, MINUTE) for group, each in sums.items()}


def parts_of(buckets: Buckets, rng: np.random.Generator) -> Iterator[Buckets]:
    """Yield the buckets in parts of any size, in order."""
    first, count = 0, len(buckets.rows)
    while first < count:
        end = min(count, first + int(rng.integers(1, 40)))
        mine = slice(first, end)
        yield Buckets(buckets.starts[mine], buckets.rows[mine], buckets.sums[mine], buckets.length)
        first = end
