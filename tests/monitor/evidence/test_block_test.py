"""The test of blocks: exact ranks, the same result however the blocks arrive, few false alarms, and changes found."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from rondo.monitor.evidence import block_test
from rondo.monitor.evidence.block_test import BlockTest
from scipy import stats

if TYPE_CHECKING:
    from collections.abc import Callable

SEED = 20
NORMAL, RANKS = np.array([True]), np.array([False])


def begun(reference: np.ndarray, normal: np.ndarray = NORMAL, *, one_sided: bool = False) -> BlockTest:
    return BlockTest.of("model/1/temp", reference, normal, one_sided=one_sided)


def test_the_scores_of_exchangeable_blocks_are_standard_normal_whatever_their_distribution() -> None:
    blocks = np.random.default_rng(SEED).standard_cauchy((40, 400))
    test = begun(blocks[:, :100], np.zeros(40, np.bool_)).with_blocks(blocks[:, 100:])
    assert stats.kstest(test.scores.ravel(), "norm").pvalue > 0.01
    neighbours = np.corrcoef(test.scores[:, 1:].ravel(), test.scores[:, :-1].ravel())[0, 1]
    assert abs(neighbours) < 0.03


@pytest.mark.parametrize("share", [0.0, 0.02, 0.3])
def test_the_scores_of_a_rare_value_are_standard_normal_where_one_row_more_is_added_in_part(share: float) -> None:
    blocks = np.random.default_rng(SEED).binomial(40, share, (400, 200)) / 40
    before = BlockTest.of("v", blocks[:, :40], np.zeros(400, np.bool_), one_sided=False, resolution=1 / 40)
    scores = before.with_blocks(blocks[:, 40:]).scores.ravel()
    assert stats.kstest(scores, "norm").pvalue > 0.01
    # The extreme scores decide about alarms. 173 of 64,000 normal values are beyond 3.
    assert 130 < (np.abs(scores) > 3).sum() < 215


def test_equal_blocks_are_no_evidence() -> None:
    test = begun(np.zeros((1, 50)), RANKS).with_blocks(np.zeros((1, 300)))
    assert test.evidence()[0] < np.log(20)


def test_blocks_count_the_same_one_by_one_and_together() -> None:
    blocks = np.random.default_rng(SEED).standard_normal((3, 90))
    normal = np.array([True, False, True])
    together = BlockTest.of("v", blocks[:, :40], normal, one_sided=False).with_blocks(blocks[:, 40:])
    alone = BlockTest.of("v", blocks[:, :40], normal, one_sided=False)
    for at in range(40, 90):
        alone = alone.with_blocks(blocks[:, at : at + 1])
    assert np.array_equal(alone.scores, together.scores)
    assert np.array_equal(alone.evidence(), together.evidence())


@pytest.mark.medium
@pytest.mark.parametrize("normal", [True, False], ids=["normal", "skewed"])
def test_the_evidence_seldom_exceeds_the_bound_at_any_look(*, normal: bool) -> None:
    streams, bound, ever = 300, 20.0, np.zeros(300, np.bool_)
    rng = np.random.default_rng(SEED)
    blocks = rng.standard_normal((streams, 250)) if normal else rng.gamma(0.5, size=(streams, 250))
    test = BlockTest.of("v", blocks[:, :50], np.full(streams, normal), one_sided=False)
    for at in range(50, 250):
        test = test.with_blocks(blocks[:, at : at + 1])
        if test.is_look:
            ever |= test.evidence() >= np.log(bound)
    # At most 1 in 20 is promised. A binomial number with that share is below 28 with a probability of 99.9%.
    assert ever.sum() <= 28


@pytest.mark.parametrize("normal", [NORMAL, RANKS], ids=["means", "ranks"])
def test_a_change_is_found_and_when_it_began(normal: np.ndarray) -> None:
    blocks = np.random.default_rng(SEED).standard_normal((1, 260))
    blocks[:, 200:] += 2.5
    test = begun(blocks[:, :100], normal).with_blocks(blocks[:, 100:200])
    assert test.evidence()[0] < np.log(100)
    test = test.with_blocks(blocks[:, 200:])
    assert test.evidence()[0] > np.log(10_000)
    began = test.change_point(0)
    assert began.first <= 101 <= began.last
    assert abs(began.block - 101) <= 10


def test_a_one_sided_test_ignores_an_improvement() -> None:
    blocks = np.random.default_rng(SEED).standard_normal((1, 200))
    blocks[:, 100:] -= 3.0
    better = begun(blocks[:, :50], one_sided=True).with_blocks(blocks[:, 50:])
    worse = begun(-blocks[:, :50], one_sided=True).with_blocks(-blocks[:, 50:])
    assert better.evidence()[0] < 0 < np.log(1_000) < worse.evidence()[0]


def test_looks_become_rarer_as_blocks_become_many() -> None:
    test, looks = begun(np.random.default_rng(SEED).standard_normal((1, 10))), []
    for live in range(1, 401):
        test = test.with_blocks(np.zeros((1, 1)))
        if test.is_look:
            looks.append(live)
    assert looks[:50] == list(range(1, 51))
    assert np.diff(looks).max() <= 5
    assert not begun(np.random.default_rng(SEED).standard_normal((1, 10))).is_look


def test_two_tests_that_continue_the_same_one_do_not_share_blocks() -> None:
    blocks = np.random.default_rng(SEED).standard_normal((2, 60))
    before = BlockTest.of("v", blocks[:, :40], np.array([True, False]), one_sided=False).with_blocks(blocks[:, 40:45])
    first, second = before.with_blocks(blocks[:, 45:50]), before.with_blocks(blocks[:, 50:])
    assert np.array_equal(first.means, blocks[:, :50])
    assert np.array_equal(second.means, np.delete(blocks, slice(45, 50), axis=1))
    assert np.array_equal(before.means, blocks[:, :45])


def test_the_scores_follow_from_the_ranks_among_all_blocks_before() -> None:
    """This holds for any number of blocks, and with ties."""
    blocks = np.random.default_rng(SEED).integers(6, size=(3, 400)) / 4.0
    scores = begun(blocks[:, :30], np.zeros(3, np.bool_)).with_blocks(blocks[:, 30:]).scores
    for at in range(30, 400):
        below, same = ((each(blocks[:, :at].T, blocks[:, at])).sum(axis=0) for each in (np.less, np.equal))
        ranks = stats.norm.cdf(scores[:, at - 30]) * (at + 1)
        assert (below <= ranks + 1e-9).all()
        assert (ranks <= below + same + 1 + 1e-9).all()


def test_the_blocks_until_the_next_look() -> None:
    test = begun(np.zeros((1, 5)))
    for _ in range(300):
        left = test.until_look
        test = test.with_blocks(np.zeros((1, left)))
        assert test.is_look
    assert left > 1


def test_a_change_point_takes_the_bets_of_its_component_alone_and_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """With hundreds of components the bets of all components take tens of milliseconds."""
    taken: list[int] = []

    def counted(bets: Callable[..., np.ndarray]) -> Callable[..., np.ndarray]:
        def counting(*given: object, **named: object) -> np.ndarray:
            found = bets(*given, **named)
            taken.append(len(found))
            return found

        return counting

    blocks = np.random.default_rng(SEED).standard_normal((30, 200))
    blocks[3:5, 150:] += 2.0
    test = begun(blocks[:, :100], np.arange(30) % 2 == 0).with_blocks(blocks[:, 100:])
    for bets in ("normal_bets", "t_bets"):
        monkeypatch.setattr(block_test, bets, counted(getattr(block_test, bets)))
    found = [test.change_point(component) for component in (3, 4, 3, 4)]
    assert taken == [1, 1, 1], "component 3 bets by rank alone"
    assert found[:2] == found[2:]
    alone = begun(blocks[4:5, :100]).with_blocks(blocks[4:5, 100:])
    assert abs(alone.change_point(0).block - found[1].block) <= 5
    assert test.with_blocks(blocks[:, :1]).change_point(3).last >= found[0].block
