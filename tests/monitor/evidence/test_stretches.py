"""Tests of whether a reference is long enough, of its extension by live rows, and of which components are normal."""

from __future__ import annotations

import numpy as np
import pytest
from rondo.monitor.evidence.component_sums import Component
from rondo.monitor.evidence.component_tests.watched import Watched
from rondo.monitor.evidence.ranking import on_grid
from rondo.monitor.evidence.staged_test import Buckets, StagedTest
from rondo.monitor.evidence.stretches import Learning, Stretches, staged

from tests.chassis.profiles.test_autocorrelation import autoregressive
from tests.monitor.evidence.buckets import MINUTE, buckets_of, exact, parts_of


def stretches(means: np.ndarray, rows: int = 1, autocorrelation_rows: float = 1.0) -> Stretches:
    return Stretches(rows, autocorrelation_rows, exact(means))


def test_independent_rows_have_the_shortest_blocks() -> None:
    found = stretches(np.random.default_rng(1).standard_normal((2, 5_000)))
    test = staged("v", [found], found.block())
    assert (found.total, test.block, test.test.reference, test.test.normal.tolist()) == (5_000, 32, 156, [True, True])


def test_the_latest_rows_of_a_reference_are_its_blocks() -> None:
    found = stretches(np.random.default_rng(2).standard_normal((1, 165)))
    blocks = found.blocks(32)
    assert blocks.shape == (1, 5)
    assert blocks[0, -1] == on_grid(found.means[0, -32:].mean())


def test_columns_of_the_same_block_length_share_a_test() -> None:
    rng = np.random.default_rng(3)
    first, second = (stretches(rng.standard_normal((count, 600)), rows=10) for count in (2, 3))
    test = staged("v", [first, second], 40)
    assert test.test.means.shape == (5, 150)
    assert np.array_equal(test.test.means[2:], second.blocks(40))


@pytest.mark.parametrize(("rows", "memory", "block"), [(10, 1.0, 40), (10, 30.0, 170), (33, 1.0, 33), (500, 1.0, 500)])
def test_blocks_consist_of_whole_stretches_and_are_longer_than_their_memory(
    rows: int, memory: float, block: int
) -> None:
    means = np.random.default_rng(4).standard_normal((1, 500))
    assert stretches(means, rows, memory).block() == block


def test_a_memory_that_only_stretches_show_makes_blocks_longer() -> None:
    rows = autoregressive(0.99, 40_000, np.random.default_rng(4))
    found = stretches(rows.reshape(1, 500, 80).mean(axis=2), 80)
    assert 5 * 199 <= found.block() <= 5 * 199 * 3


def test_bounds_hold_the_length_of_a_block() -> None:
    found = stretches(np.random.default_rng(4).standard_normal((1, 500)), 10, autocorrelation_rows=300.0)
    assert found.block() >= 1_500
    assert [found.block(16, 625), found.block(1_600, 1_600), found.block(3_000, 4_000)] == [630, 1_600, 3_000]


def test_merged_stretches_are_the_means_of_pairs_of_the_latest() -> None:
    merged = stretches(np.arange(5.0)[None, :], rows=3).merged()
    assert (merged.rows, merged.means.tolist(), merged.total) == (6, [[1.5, 3.5]], 12)


def test_blocks_of_a_rare_event_are_not_taken_for_normal() -> None:
    rng = np.random.default_rng(5)
    rare = (rng.random((1, 5_000)) < 0.002).astype(np.float64)
    found = stretches(np.concatenate((rare, rng.standard_normal((1, 5_000)), np.zeros((1, 5_000)))))
    assert found.normal(32).tolist() == [False, True, False]


def learning(means: np.ndarray) -> Learning:
    return Learning.of("v", stretches(means))


def finished(found: Learning, buckets: Buckets) -> StagedTest:
    test, taken = found.take(buckets)
    assert test is not None
    assert test.take(buckets.since(taken)) is None
    return test


def test_a_reference_shorter_than_five_blocks_is_extended_by_live_rows_until_it_is_long_enough() -> None:
    rng = np.random.default_rng(6)
    found = learning(rng.standard_normal((2, 100)))
    assert (found.needed, found.block, found.live) == (160, 32, 0)
    assert found.take(buckets_of(rng.standard_normal((2, 59)), 1)) == (None, 59)
    assert (found.live, found.stretches.total) == (59, 159)
    test = finished(found, buckets_of(rng.standard_normal((2, 200)), 1, first=59))
    assert (test.block, test.test.reference, test.stage) == (32, 5, 1)
    # The buckets that the reference did not need are live rows.
    assert (found.live, test.rows + test.open.rows, test.starts[0]) == (60, 199, 60 * MINUTE)


@pytest.mark.medium
def test_a_long_memory_is_learned_from_live_rows_and_needs_more_of_them() -> None:
    rows = autoregressive(0.99, 40_000, np.random.default_rng(7))
    found = learning(rows[:, :300])
    needed = [found.needed]
    test = None
    for first in range(300, 40_000, 500):
        test, _ = found.take(buckets_of(rows[:, first : first + 500], 1, first))
        if test is not None:
            break
        needed.append(found.needed)
    assert test is not None
    assert max(needed) >= 5 * 5 * 199
    assert test.block >= 5 * 199 * 0.7
    assert found.stretches.total >= 5 * test.block


@pytest.mark.medium
@pytest.mark.parametrize("seed", range(4))
def test_the_parts_in_which_live_rows_arrive_make_no_difference(seed: int) -> None:
    rng = np.random.default_rng(seed)
    reference, live = rng.standard_normal((2, 60)), autoregressive(0.9, 4_000, rng).repeat(2, axis=0)
    buckets = buckets_of(live, rng.multinomial(4_000, np.full(900, 1 / 900)))
    components = tuple(Component("inputs", "x", name, at) for at, name in enumerate(("level", "spread")))
    together, apart = (Watched(components, learning(reference)) for _ in range(2))
    together.take(buckets)
    for part in parts_of(buckets, rng):
        apart.take(part)
    assert isinstance(together.state, StagedTest)
    assert isinstance(apart.state, StagedTest)
    first, second = together.state, apart.state
    assert (first.block, first.starts, first.rows, first.end) == (second.block, second.starts, second.rows, second.end)
    assert np.array_equal(first.test.means, second.test.means)
    assert np.array_equal(first.evidence, second.evidence)
    assert np.array_equal(first.open.sums, second.open.sums)
    assert first.rows > 1_000


def test_very_many_stretches_become_longer_ones() -> None:
    """So the size of a reference with long correlation is bounded in a checkpoint."""
    rows = np.cumsum(np.random.default_rng(8).standard_normal((1, 12_000)), axis=1) / 100
    found = learning(rows[:, :50])
    assert found.take(buckets_of(rows[:, 50:], 1)) == (None, 11_950)
    assert found.stretches.rows > 1
    assert found.stretches.means.shape[1] <= 2_048 * 1.25


@pytest.mark.parametrize("reference", [5_000, 300])
@pytest.mark.slow
def test_traffic_that_is_denser_than_the_reference_raises_no_alarm(reference: int) -> None:
    """A bucket has the rows of several blocks. The component is skewed, so means of more rows would have high ranks."""
    alarms = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        rows = rng.exponential(size=(1, reference + 40_000))
        components = (Component("inputs", "x", "level", 0),)
        begun = staged("v", [stretches(rows[:, :reference])], 32)
        watched = Watched(components, begun)
        watched.take(buckets_of(rows[:, reference:], 200))
        taken = watched.state.taken if isinstance(watched.state, StagedTest) else watched.state.live
        assert taken > 30_000
        alarms += bool(watched.state.evidence.max() >= np.log(100))
    assert alarms <= 1


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.01, 0.03])
@pytest.mark.parametrize("buckets", [(3, 5), (8, 9)], ids=["blocks of 40 to 43 rows", "blocks of 40 rows"])
def test_a_rare_value_raises_no_alarm_although_means_are_on_a_grid(share: float, buckets: tuple[int, int]) -> None:
    """1 of 42 rows is less than 1 of 40, and the mean of two means has a rounding error."""
    alarms = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        rows = (rng.random((1, 20_480 + 60_000)) < share).astype(float)
        reference = rows[:, :20_480].reshape(1, 512, 40).mean(axis=2)
        test = staged(f"{seed}", [Stretches(40, 1.0, exact(reference), row_range=1.0)], 40)
        sizes = rng.integers(*buckets, 20_000)
        test.take(buckets_of(rows[:, 20_480:], sizes[np.cumsum(sizes) <= 60_000]))
        assert test.stage == 2
        alarms += bool(test.evidence.max() >= np.log(20))
    assert alarms <= 1


def test_blocks_become_as_long_as_the_buckets_of_dense_traffic() -> None:
    rng = np.random.default_rng(3)
    test = staged("v", [stretches(rng.standard_normal((1, 5_000)))], 32)
    assert test.take(buckets_of(rng.standard_normal((1, 4_000)), 200)) is None
    assert (test.block, test.stage, test.test.reference) == (128, 1, 39)
    assert set(test.counts) == {200}
    assert test.take(buckets_of(rng.standard_normal((1, 3_000)), 1_000)) is None
    assert (test.block, test.stage, test.test.live) == (512, 2, 3)
    assert test.take(buckets_of(rng.standard_normal((1, 9_000)), 3_000)) == 0
