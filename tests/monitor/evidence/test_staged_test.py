"""Buckets are divided into blocks, in any parts, and blocks become longer as their number grows."""

from __future__ import annotations

import numpy as np
import pytest
from rondo.monitor.evidence import staged_test
from rondo.monitor.evidence.block_test import BlockTest
from rondo.monitor.evidence.ranking import on_grid
from rondo.monitor.evidence.staged_test import StagedTest

from tests.monitor.evidence.buckets import MINUTE, buckets_of, exact, parts_of

REFERENCE, BLOCK, MOST = 40, 32, 60


def begun(seed: int = 1, reference: int = REFERENCE) -> StagedTest:
    """Return a test of two components, before any live row."""
    means = np.random.default_rng(seed).standard_normal((2, reference)) / np.sqrt(BLOCK)
    return StagedTest(BlockTest.of("v", means, np.array([True, False]), one_sided=False), BLOCK)


def values(rows: int, seed: int = 2) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((2, rows))


def same(first: StagedTest, second: StagedTest) -> bool:
    arrays = [
        (each.test.means, each.test.scores, each.evidence, each.open.sums, np.array(each.starts))
        for each in (first, second)
    ]
    figures = [(each.block, each.stage, each.end, each.rows, each.open.rows) for each in (first, second)]
    return figures[0] == figures[1] and all(np.array_equal(*pair) for pair in zip(*arrays, strict=True))


def test_a_block_ends_with_the_bucket_that_completes_it() -> None:
    """Ten rows a bucket: four buckets are a block of 40 rows, and ten buckets are two and a half blocks."""
    test, rows = begun(), values(100)
    test.take(buckets_of(rows, 10))
    assert (test.test.live, test.rows, test.open.rows) == (2, 80, 20)
    assert (test.starts, test.end, test.open.start) == ([0, 4 * MINUTE], 8 * MINUTE, 8 * MINUTE)
    expected = on_grid(exact(rows)[:, :80].reshape(2, 2, 40).mean(axis=2))
    assert np.array_equal(test.test.means[:, REFERENCE:], expected)


def test_a_bucket_with_more_rows_than_a_block_is_one_block() -> None:
    test = begun()
    test.take(buckets_of(values(300), np.array([100, 1, 100, 99])))
    assert (test.test.live, test.starts, test.rows) == (3, [0, MINUTE, 3 * MINUTE], 300)


@pytest.mark.medium
@pytest.mark.parametrize("seed", range(5))
def test_the_parts_in_which_buckets_arrive_make_no_difference(monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    """This also holds across the starts of later stages."""
    monkeypatch.setattr(staged_test, "MOST_LIVE_BLOCKS", MOST)
    rng = np.random.default_rng(seed)
    buckets = buckets_of(values(5_000), rng.multinomial(5_000, np.full(700, 1 / 700)))
    together, apart = begun(), begun()
    together.take(buckets)
    for part in parts_of(buckets, rng):
        apart.take(part)
    assert same(together, apart)
    assert together.stage == 3


def test_the_next_stage_continues_with_pairs_of_blocks_and_half_of_the_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(staged_test, "MOST_LIVE_BLOCKS", MOST)
    test, before, rows = begun(), begun(), values(32 * 70)
    test.take(buckets_of(rows, 8))
    monkeypatch.setattr(staged_test, "MOST_LIVE_BLOCKS", 10_000)
    before.take(buckets_of(rows[:, : 32 * MOST], 8))
    assert (test.stage, test.block, test.test.live, test.test.reference) == (2, 2 * BLOCK, 35, REFERENCE // 2)
    assert (test.rows, test.end) == (32 * 70, 32 * 70 // 8 * MINUTE)
    assert test.starts[:30] == before.starts[::2]
    pairs = before.test.means.reshape(2, -1, 2).mean(axis=2)
    assert np.array_equal(test.test.means[:, :50], pairs)
    assert np.allclose(test.test.means[:, 50:], rows[:, 32 * MOST :].reshape(2, 5, 64).mean(axis=2), atol=2e-6)
    # The evidence so far remains, and the evidence of the second stage is divided by 4.
    assert (test.evidence >= before.evidence).all()
    test.take(buckets_of(rows[:, :640] + 2.0, 8, 280))
    assert (test.stage, test.test.live, test.test.is_look) == (2, 45, True)
    assert np.allclose(test.evidence, test.test.evidence() - 2 * np.log(2))


def test_the_first_stage_has_half_of_the_rate_and_the_evidence_never_decreases() -> None:
    test, rows = begun(), values(32 * 40)
    rows[:, 320:640] += 1.0
    seen = []
    for first in range(0, rows.shape[1], 32):
        test.take(buckets_of(rows[:, first : first + 32], 32, first // 32))
        seen.append(test.evidence)
        if test.test.is_look:
            assert (test.evidence >= test.test.evidence() - np.log(2)).all()
    assert (np.diff(seen, axis=0) >= 0).all()
    assert (test.evidence > np.log(1_000)).all()
    assert seen[0].max() == max(0.0, float((begun_with(rows[:, :32]).evidence() - np.log(2)).max()))


def begun_with(block: np.ndarray) -> BlockTest:
    return begun().test.with_blocks(on_grid(exact(block).sum(axis=1) / block.shape[1])[:, None])


def test_a_reference_of_fewer_than_ten_blocks_takes_the_older_half_of_the_live_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The pairs of the reference would be too few to compare with. Among 9 and 30 blocks the oldest has no partner."""
    monkeypatch.setattr(staged_test, "MOST_LIVE_BLOCKS", MOST)
    test, rows = begun(reference=9), values(32 * 70)
    before = test.test.means
    test.take(buckets_of(rows, 32))
    assert (test.stage, test.block, test.test.reference, test.test.live) == (2, 64, 19, 20)
    learned = np.concatenate((before, rows[:, : 32 * 30].reshape(2, 30, 32).mean(axis=2)), axis=1)
    assert np.allclose(test.test.means[:, :19], learned[:, 1:].reshape(2, 19, 2).mean(axis=2), atol=2e-6)
    live = rows[:, 32 * 30 :].reshape(2, 20, 64).mean(axis=2)
    assert np.allclose(test.test.means[:, 19:], live, atol=2e-6)
    assert (test.starts, set(test.counts)) == ([MINUTE * at for at in range(30, 70, 2)], {64})


@pytest.mark.sampled(1)
@pytest.mark.medium
@pytest.mark.parametrize("reference", [5, 9, 10, 13, 40])
def test_the_blocks_of_a_test_are_bounded_for_ever(monkeypatch: pytest.MonkeyPatch, reference: int) -> None:
    monkeypatch.setattr(staged_test, "MOST_LIVE_BLOCKS", MOST)
    test = begun(reference=reference)
    for part in range(40):
        test.take(buckets_of(values(32 * MOST, seed=part), 32, part * MOST))
        assert test.test.live < MOST
        assert 5 <= test.test.reference <= max(40, MOST)
        assert len(test.starts) == len(test.counts) == test.test.live
    assert sum(test.counts) <= test.rows == 32 * MOST * 40 - test.open.rows


@pytest.mark.slow
def test_a_false_alarm_is_no_likelier_with_a_reference_that_takes_live_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several stages of 300 components: at most 1 in 20 is promised."""
    monkeypatch.setattr(staged_test, "MOST_LIVE_BLOCKS", MOST)
    rng = np.random.default_rng(3)
    means, flags = rng.standard_normal((300, 5)) / np.sqrt(BLOCK), np.arange(300) % 2 == 0
    test = StagedTest(BlockTest.of("v", means, flags, one_sided=False), BLOCK)
    test.take(buckets_of(rng.standard_normal((300, 32 * 1_500)), 32))
    assert test.stage >= 5
    assert (test.evidence >= np.log(20)).sum() <= 28


def test_an_odd_reference_leaves_out_its_oldest_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(staged_test, "MOST_LIVE_BLOCKS", MOST)
    test = begun(reference=41)
    pairs = test.test.means[:, 1:].reshape(2, 20, 2).mean(axis=2)
    test.take(buckets_of(values(32 * MOST), 32))
    assert np.array_equal(test.test.means[:, :20], pairs)


def test_a_change_has_the_times_and_the_means_on_either_side() -> None:
    test, rows = begun(), values(32 * 60)
    rows[0, 32 * 40 :] += 1.0
    test.take(buckets_of(rows, 8))
    change = test.change(0)
    assert change.earliest <= change.since <= change.latest
    assert change.since == 4 * 40 * MINUTE
    assert change.before == pytest.approx(0.0, abs=0.1)
    assert change.after == pytest.approx(1.0, abs=0.1)
    assert change.rows == 32 * 20


@pytest.mark.parametrize("reference", [9, 40])
def test_a_change_stays_where_it_began_when_its_blocks_are_given_up(
    monkeypatch: pytest.MonkeyPatch, reference: int
) -> None:
    """The blocks are merged because of dense traffic, or become a part of the reference."""
    monkeypatch.setattr(staged_test, "MOST_LIVE_BLOCKS", MOST)
    test, rows, given = begun(reference=reference), values(32 * 50), 32 * 50
    rows[0, 32 * 20 :] += 2.0
    test.take(buckets_of(rows, 32))
    before, evidence = test.change(0), test.evidence[0]
    assert (before.since, before.rows) == (20 * MINUTE, 32 * 30)
    for part in range(4):
        size = 80 if reference == 40 else 32
        more = values(size * 10, seed=9 + part) + np.array([[2.0], [0.0]])
        test.take(buckets_of(more, size, 50 + 10 * part))
        given += size * 10
        after = test.change(0)
        assert (after.since, after.rows) == (before.since, given - 32 * 20)
        assert test.evidence[0] >= evidence
    assert test.stage == 2


def test_a_later_change_is_one_of_its_own() -> None:
    """A weak earlier one does not hide it."""
    test, rows = begun(), values(32 * 20)
    rows[0] += 0.2
    test.take(buckets_of(rows, 32))
    assert np.log(3) < test.evidence[0] < np.log(10_000)
    test.take(buckets_of(values(80 * 30, seed=5), 80, 20))
    test.take(buckets_of(values(80 * 30, seed=6) + 3.0, 80, 50))
    assert 0 in test.earlier
    assert abs(test.change(0).since - 50 * MINUTE) <= 2 * MINUTE


@pytest.mark.medium
@pytest.mark.parametrize("seed", range(4))
def test_expected_buckets_that_are_taken_in_parts_are_as_without_expecting_them(
    monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """This also holds with a change, whose looks find more evidence, across stages, and if only a part is expected."""
    monkeypatch.setattr(staged_test, "MOST_LIVE_BLOCKS", MOST)
    rng = np.random.default_rng(seed)
    rows = values(6_000)
    rows[:, 3_000:] += 0.05 * seed
    buckets = buckets_of(rows, rng.multinomial(6_000, np.full(800, 1 / 800)))
    expecting, plain = begun(), begun()
    for part in parts_of(buckets, rng):
        expecting.expect(part)
        for piece in parts_of(part, rng):
            expecting.take(piece)
        plain.take(part)
        assert same(expecting, plain)


def test_buckets_other_than_the_expected_ones_are_taken_as_they_come() -> None:
    expecting, plain = begun(), begun()
    expecting.expect(buckets_of(values(1_000, seed=3), 10))
    for test in (expecting, plain):
        test.take(buckets_of(values(1_000), 10))
    assert same(expecting, plain)
    assert expecting.test.live == 25


def test_until_a_look_that_may_find_more_evidence_rows_need_no_look() -> None:
    """Without a change only few looks at the expected blocks may find more evidence."""
    test, buckets = begun(), buckets_of(values(10_000), 10)
    before = test.rows_until_look
    test.expect(buckets)
    assert test.rows_until_look >= 10 * before
