"""The quick test of the losses: found once, since the change, and with the rows since then."""

from __future__ import annotations

import numpy as np
import pytest
from rondo.monitor.evidence import suspicion
from rondo.monitor.evidence.stretches import Stretches
from rondo.monitor.evidence.suspicion import ShortReference, Suspicion

from tests.chassis.profiles.test_autocorrelation import autoregressive
from tests.monitor.evidence.buckets import MINUTE, buckets_of, exact, parts_of


def losses(rows: int, seed: int, mean: float = 0.2) -> np.ndarray:
    """Return losses between 0 and 1 with this mean, shape `[1, rows]`."""
    return np.random.default_rng(seed).beta(1.0, 1 / mean - 1, (1, rows))


def begun(rows: int = 2_000, seed: int = 1) -> Suspicion:
    found = Suspicion.of("v", Stretches(1, 1.0, exact(losses(rows, seed))))
    assert found is not None
    return found


def test_a_rise_is_suspected_once_since_it_began() -> None:
    """2,000 rows before the change, with 8 rows a minute, and twice the loss from minute 100 on."""
    found = begun()
    assert (found.block, found.test.reference) == (32, 62)
    rows = np.concatenate((losses(800, 2), losses(1_200, 3, mean=0.4)), axis=1)
    found.take(buckets_of(rows[:, :800], 8))
    assert found.found is None
    found.take(buckets_of(rows[:, 800:], 8, first=100))
    assert found.found is not None
    assert abs(found.found.since - 100 * MINUTE) <= 8 * MINUTE
    assert found.found.end == 250 * MINUTE
    assert found.found.rows == 2_000 - found.found.since // MINUTE * 8
    assert found.found.before == pytest.approx(0.2, abs=0.02)
    assert found.found.after == pytest.approx(0.4, abs=0.03)
    assert found.found.evidence >= np.log(100)


def test_the_suspicion_is_extended_by_later_rows_and_keeps_its_beginning() -> None:
    found = begun()
    found.take(buckets_of(losses(800, 2), 8))
    found.take(buckets_of(losses(800, 3, mean=0.5), 8, first=100))
    before = found.found
    found.take(buckets_of(losses(1_600, 4, mean=0.1), 8, first=200))
    assert before is not None
    assert found.found is not None
    assert (found.found.since, found.found.evidence) == (before.since, before.evidence)
    assert (found.found.rows, found.found.end) == (before.rows + 1_600, 400 * MINUTE)
    share = before.rows / found.found.rows
    assert found.found.after == pytest.approx(share * before.after + (1 - share) * 0.1, abs=0.01)


def test_the_rows_of_a_suspicion_are_all_rows_since_it_began() -> None:
    """Buckets of 50 rows make blocks of 50, though 32 are enough."""
    found = begun()
    rows = np.concatenate((losses(1_000, 2), losses(1_500, 3, mean=0.4)), axis=1)
    found.take(buckets_of(rows, 50))
    assert found.found is not None
    assert found.block == 32
    assert found.found.rows == 2_500 - found.found.since // MINUTE * 50
    assert found.found.after == pytest.approx(rows[0, -found.found.rows :].mean(), abs=1e-5)


def test_better_predictions_are_not_suspected() -> None:
    found = begun()
    found.take(buckets_of(losses(4_000, 2, mean=0.05), 8))
    assert found.found is None


def test_the_parts_in_which_losses_arrive_make_no_difference() -> None:
    rng = np.random.default_rng(5)
    rows = np.concatenate((losses(1_000, 2), losses(1_000, 3, mean=0.3)), axis=1)
    buckets = buckets_of(rows, rng.multinomial(2_000, np.full(300, 1 / 300)))
    together, apart = begun(), begun()
    together.take(buckets)
    for part in parts_of(buckets, rng):
        apart.take(part)
    assert together.found is not None
    assert together.found == apart.found
    assert np.array_equal(together.test.means, apart.test.means)


def test_older_blocks_become_the_reference_so_that_a_later_rise_is_suspected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suspicion, "_MOST_LIVE_BLOCKS", 50)
    found = begun()
    found.take(buckets_of(losses(32 * 120, 2), 32))
    assert (found.number, found.test.live, found.test.reference, len(found.starts)) == (2, 20, 50, 20)
    found.take(buckets_of(losses(32 * 29, 3, mean=0.4), 32, first=120))
    assert found.found is not None
    assert abs(found.found.since - 120 * MINUTE) <= 2 * MINUTE


def test_blocks_are_at_most_an_eighth_of_the_reference_however_long_the_losses_are_correlated() -> None:
    slow = Stretches(1, 1.0, exact(autoregressive(0.999, 4_000, np.random.default_rng(6))))
    found = Suspicion.of("v", slow)
    assert found is not None
    assert (found.block, found.test.reference) == (500, 8)


def short(rows: int = 100) -> ShortReference:
    found = suspicion.begun("v", Stretches(1, 1.0, exact(losses(rows, 1))))
    assert isinstance(found, ShortReference)
    return found


@pytest.mark.parametrize(("per_bucket", "taken"), [(1, 28), (8, 32), (50, 100), (1_000, 5_000)])
def test_live_losses_extend_a_short_reference_until_there_are_128_in_five_blocks(per_bucket: int, taken: int) -> None:
    """With traffic as dense as 1,000 rows in a bucket, none of the 100 rows of the reference remains in it."""
    before = short().take(buckets_of(losses(taken - per_bucket, 2), per_bucket))
    assert isinstance(before, ShortReference)
    after = before.take(buckets_of(losses(per_bucket, 3), per_bucket, first=taken))
    assert isinstance(after, Suspicion)
    assert (after.test.live, after.found) == (0, None)
    assert after.test.reference >= 5


def test_a_rise_after_the_reference_was_extended_is_suspected() -> None:
    found = short().take(buckets_of(losses(400, 2), 8)).take(buckets_of(losses(800, 3, mean=0.5), 8, first=50))
    assert found.found is not None
    assert abs(found.found.since - 50 * MINUTE) <= 4 * MINUTE


def test_the_parts_in_which_losses_extend_a_short_reference_make_no_difference() -> None:
    rng = np.random.default_rng(5)
    buckets = buckets_of(losses(1_000, 2), rng.multinomial(1_000, np.full(100, 1 / 100)))
    together, apart = short().take(buckets), suspicion.begun("v", short().stretches)
    for part in parts_of(buckets, rng):
        apart = apart.take(part)
    assert isinstance(together, Suspicion)
    assert isinstance(apart, Suspicion)
    assert np.array_equal(together.test.means, apart.test.means)


@pytest.mark.parametrize(("wrong", "loss", "found"), [(1, 1.0, 0), (3, 1.0, 0), (6, 1.0, 1), (800, 0.0021, 0)])
def test_losses_without_variance_prove_nothing_before_four_rows_are_lost(wrong: int, loss: float, found: int) -> None:
    """Any other loss is the largest so far, even by a rounding error. The 2,000 losses of the reference are equal."""
    before = suspicion.begun("v", Stretches(1, 1.0, exact(np.full((1, 2_000), 0.002))))
    rows = np.full((1, 800), 0.002)
    rows[0, -wrong:] = loss
    assert (before.take(buckets_of(rows, 8)).found is not None) == found


@pytest.mark.parametrize(("rows", "block"), [(127, None), (128, 16), (200, 25)])
def test_a_short_reference_has_short_blocks_and_too_few_losses_no_test(rows: int, block: int | None) -> None:
    found = Suspicion.of("v", Stretches(1, 1.0, losses(rows, 7)))
    assert (found.block if found else None) == block
