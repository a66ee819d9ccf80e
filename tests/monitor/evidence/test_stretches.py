"""Whether a reference is long enough, and for which components its blocks are normal."""

from __future__ import annotations

import numpy as np
from rondo.monitor.evidence.reference import Begun, TooShort, begin

from tests.chassis.profiles.test_autocorrelation import remembering


def test_independent_rows_begin_at_once() -> None:
    begun = begin("v", np.random.default_rng(1).standard_normal((2, 5_000)), 1)
    assert isinstance(begun, Begun)
    assert (begun.block, begun.test.reference, begun.test.normal.tolist()) == (32, 156, [True, True])


def test_the_latest_rows_of_a_reference_are_its_blocks() -> None:
    means = np.random.default_rng(2).standard_normal((1, 165))
    begun = begin("v", means, 1)
    assert isinstance(begun, Begun)
    assert begun.test.means[0, -1] == means[0, -32:].mean()


def test_a_reference_shorter_than_five_blocks_is_not_compared_with() -> None:
    short = begin("v", np.zeros((1, 100)), 1)
    assert (short, short.needed if isinstance(short, TooShort) else 0) == (TooShort(100, 32), 160)
    slow = begin("v", remembering(0.999, 5_000, np.random.default_rng(3)), 1)
    assert isinstance(slow, TooShort)
    assert slow.needed > 5_000


def test_a_memory_below_the_stretches_makes_blocks_longer() -> None:
    means = np.random.default_rng(4).standard_normal((1, 500))
    begun = begin("v", means, 10, memory=30.0)
    assert isinstance(begun, Begun)
    assert begun.block == 150


def test_blocks_of_a_rare_event_are_not_taken_for_normal() -> None:
    rng = np.random.default_rng(5)
    rare = (rng.random((1, 5_000)) < 0.002).astype(np.float64)
    begun = begin("v", np.concatenate((rare, rng.standard_normal((1, 5_000)), np.zeros((1, 5_000)))), 1)
    assert isinstance(begun, Begun)
    assert begun.test.normal.tolist() == [False, True, False]
