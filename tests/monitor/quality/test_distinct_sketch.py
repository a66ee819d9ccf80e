"""The estimate of distinct hashes: exact while they are few, within its error after that, and mergeable."""

from __future__ import annotations

import numpy as np
from rondo.monitor.quality.distinct_sketch import RELATIVE_ERROR, SIZE, DistinctSketch


def hashes(seed: int, count: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 2**64, count, np.uint64, endpoint=False)


def test_few_hashes_are_counted_exactly() -> None:
    some = hashes(1, 500)
    sketch = DistinctSketch().plus(some).plus(some[:100])
    assert (sketch.rows, sketch.is_exact, sketch.error) == (600, True, 0.0)
    assert sketch.repeated == 1 - 500 / 600


def test_the_error_of_many_hashes_is_the_stated_one() -> None:
    distinct, rows = 20_000, 30_000
    errors = []
    for seed in range(40):
        some = hashes(seed, distinct)
        sketch = DistinctSketch().plus(np.concatenate([some, some[: rows - distinct]]))
        errors.append((1 - sketch.repeated) * rows / distinct - 1)
        assert len(sketch.smallest) == SIZE
    assert abs(float(np.mean(errors))) < 3 * RELATIVE_ERROR / np.sqrt(40)
    assert 0.75 < float(np.std(errors)) / RELATIVE_ERROR < 1.25


def test_parts_are_merged_to_the_sketch_of_all_in_any_order() -> None:
    some = hashes(2, 5_000)
    whole = DistinctSketch().plus(some)
    parts = [DistinctSketch().plus(part) for part in np.array_split(np.random.default_rng(3).permutation(some), 7)]
    merged = DistinctSketch()
    for part in parts:
        merged = merged.merged(part)
    assert merged == whole
    assert DistinctSketch().plus(some[:-1]) != whole
