"""The columns that can be judged, and the number of missing rows where they can't be judged yet."""

from __future__ import annotations

import numpy as np
import pytest
from rondo.monitor.evidence import staged_test
from rondo.monitor.evidence.block_test import BlockTest
from rondo.monitor.evidence.component_sums import Component
from rondo.monitor.evidence.component_tests.watched import Taken, Watched
from rondo.monitor.evidence.staged_test import StagedTest
from rondo.monitor.evidence.stretches import Learning, Stretches
from rondo.monitor.evidence.verdicts import Verdict, expected_at, fewest_blocks, note_judged, verdicts
from rondo.monitor.evidence.version_evidence import VersionEvidence

from tests.monitor.evidence.buckets import MINUTE, buckets_of, exact

RATE = 0.01
WEEK = 7 * 24 * 60 * MINUTE


def normal(rows: int, components: int = 2, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((components, rows))


def of_two_columns(state: StagedTest | Learning) -> VersionEvidence:
    return VersionEvidence(
        [Watched((Component("inputs", "x", "level", 0), Component("inputs", "y", "level", 1)), state)]
    )


def compared(reference: int = 12, live: int = 0) -> VersionEvidence:
    means = exact(normal(reference)) / np.sqrt(32)
    evidence = of_two_columns(StagedTest(BlockTest.of("v", means, np.zeros(2, np.bool_), one_sided=False), 32))
    evidence.take("inputs", buckets_of(normal(live, seed=2) + np.array([[0.0], [3.0]]), 1))
    return evidence


def test_a_column_is_judged_once_evidence_by_ranks_could_suffice() -> None:
    """Among the orders of 12 + 5 blocks one in 6,188 has the five live ones last.

    The first stage needs one in 1,200.
    """
    for live, judged in ((0, False), (127, False), (128, True)):
        found = verdicts(compared(live=live), RATE)
        assert [(each.column, each.judged, each.rows, each.needed) for each in found] == [
            ("x", judged, live, 4 * 32), ("y", judged, live, 4 * 32)
        ]  # fmt: skip
        assert {(each.block, each.extending, each.missing) for each in found} == {(32, False, max(0, 128 - live))}


def test_each_column_has_its_evidence_and_the_threshold_of_its_group() -> None:
    x, y = verdicts(compared(live=320), RATE)
    assert x.threshold == y.threshold == pytest.approx(np.log(2 * 3 / RATE))
    assert x.evidence < x.threshold
    assert y.evidence > x.evidence


def test_the_fewest_blocks_are_those_by_which_a_change_can_be_evident() -> None:
    """The strongest evidence by ranks is that all live blocks are beyond all blocks of the reference."""
    for reference in (5, 12, 150):
        threshold = np.log(600.0)
        needed = fewest_blocks(reference, threshold)
        means = normal(reference, 1)
        alone = BlockTest.of("v", means, np.zeros(1, np.bool_), one_sided=False)
        beyond = [
            alone.with_blocks(means.max() + 1 + np.arange(float(live))[None, :]).evidence()[0]
            for live in range(1, needed)
        ]
        assert max(beyond, default=0.0) < threshold


@pytest.mark.parametrize(
    ("reference", "threshold", "blocks"), [(5, np.log(100), 4), (12, np.log(1_000), 4), (1, 800.0, 1_000)]
)
def test_the_number_of_orders_gives_the_fewest_blocks(reference: int, threshold: float, blocks: int) -> None:
    assert fewest_blocks(reference, threshold) == blocks


def test_a_reference_that_is_extended_needs_the_rows_of_learning_and_those_of_a_verdict() -> None:
    learning = Learning.of("v", Stretches(1, 1.0, exact(normal(100))))
    evidence = of_two_columns(learning)
    enough = fewest_blocks(5, np.log(2 * 3 / RATE) + np.log(2)) * 32
    expected = Verdict(
        "inputs", "x", 0, 60 + enough, 32, 0.0, float(np.log(2 * 3 / RATE)), extending=True, taken=Taken()
    )
    assert verdicts(evidence, RATE)[0] == expected
    evidence.take("inputs", buckets_of(normal(59, seed=2), 1))
    assert [(each.rows, each.needed, each.judged) for each in verdicts(evidence, RATE)] == [
        (59, 60 + enough, False)
    ] * 2


def test_independent_rows_are_judged_within_the_rows_that_were_stated_at_first() -> None:
    rows = normal(2_000, seed=3)
    evidence = of_two_columns(Learning.of("v", Stretches(1, 1.0, exact(normal(100)))))
    stated = verdicts(evidence, RATE)[0].needed
    for at in range(0, 2_000, 8):
        evidence.take("inputs", buckets_of(rows[:, at : at + 8], 8, at // 8))
        if all(each.judged for each in verdicts(evidence, RATE)):
            break
        # The rows that have extended the reference count, also after the extension has ended.
        assert {each.rows for each in verdicts(evidence, RATE)} == {evidence.taken["inputs"].rows}
    assert stated <= evidence.taken["inputs"].rows <= stated + 8


def test_after_traffic_became_dense_a_column_is_judged_once_enough_of_the_longer_blocks_are_there() -> None:
    """First there are 12 + 4 blocks of 32 rows. Then there are buckets of 64 rows, each a block.

    Against 6 blocks of the reference, one order in 2,400 needs 8 of them.
    """
    evidence, rows = compared(live=160), normal(64 * 8, seed=4)
    assert {each.judged for each in verdicts(evidence, RATE)} == {True}
    needed = fewest_blocks(6, np.log(2 * 3 / RATE) + 2 * np.log(2))
    for at in range(8):
        evidence.take("inputs", buckets_of(rows[:, 64 * at : 64 * at + 64], 64, 1_000 + at))
        test = evidence.watched[0].state
        assert isinstance(test, StagedTest)
        assert (test.stage, test.block, test.test.reference, test.test.live) == (2, 64, 6, at + 1)
        found = verdicts(evidence, RATE)
        assert {(each.rows, each.needed) for each in found} == {(160 + 64 * (at + 1), 160 + 64 * needed)}
        assert {each.judged for each in found} == {at + 1 >= needed}
    assert needed == 8


def test_a_stage_that_began_after_many_blocks_is_judged_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(staged_test, "MOST_LIVE_BLOCKS", 60)
    for reference in (5, 12):
        evidence = compared(reference, live=32 * 60)
        test = evidence.watched[0].state
        assert isinstance(test, StagedTest)
        assert test.stage == 2
        assert {each.judged for each in verdicts(evidence, RATE)} == {True}


@pytest.mark.parametrize(
    ("missing", "rows", "first", "last", "expected"),
    [
        (50, 100, 0, 10 * MINUTE, 15 * MINUTE),
        (0, 10, 0, MINUTE, MINUTE),
        (5, 0, 0, 0, None),
        (5, 3, MINUTE, MINUTE, None),
    ],
)
def test_rows_are_expected_as_fast_as_they_came(
    missing: int, rows: int, first: int, last: int, expected: int | None
) -> None:
    assert expected_at(missing, rows, first, last) == expected


def test_a_group_is_judged_since_the_window_at_whose_end_all_of_it_could_be() -> None:
    evidence = compared(live=96)
    note_judged(evidence, RATE, ["inputs", "loss"], 1 * MINUTE)
    assert evidence.judged_since == {}
    # 32 of 128 rows are missing, at one a minute. A week is longer than twice the 128 minutes.
    assert evidence.due == {"inputs": WEEK}
    evidence.take("inputs", buckets_of(normal(64, seed=3), 1, first=96))
    for end in (2, 3):
        note_judged(evidence, RATE, ["inputs", "loss"], end * MINUTE)
        assert evidence.judged_since == {"inputs": 2 * MINUTE}
        assert evidence.due == {}
    # Denser traffic starts another stage, with longer blocks.
    evidence.take("inputs", buckets_of(normal(64, seed=4), 64, 1_000))
    note_judged(evidence, RATE, ["inputs"], 400_000 * MINUTE)
    assert evidence.judged_since == {}
    assert evidence.due == {"inputs": 400_000 * MINUTE}, "the next window at the earliest"


@pytest.mark.parametrize(
    ("days", "due"),
    [([0, 1, 2, 3], [7, 7, 7]), ([0, 7, 14, 21], [7, 28, 28])],
    ids=["daily batches", "weekly batches"],
)
def test_rows_that_come_in_bursts_are_judged_before_they_are_due(days: list[int], due: list[int]) -> None:
    """500 rows arrive in five minutes of a day, and 2,000 are needed. The rate within a burst has no meaning."""
    test = BlockTest.of("v", exact(normal(12)) / np.sqrt(500), np.zeros(2, np.bool_), one_sided=False)
    evidence, day = of_two_columns(StagedTest(test, 500)), 24 * 60
    assert {each.needed for each in verdicts(evidence, RATE)} == {2_000}
    rows, found = normal(2_000, seed=5), []
    for number, at in enumerate(days):
        evidence.take("inputs", buckets_of(rows[:, 500 * number :][:, :500], 100, first=at * day))
        note_judged(evidence, RATE, ["inputs"], (at + 1) * day * MINUTE)
        found += [due // (day * MINUTE) for due in evidence.due.values()]
    assert found == due
    assert evidence.judged_since == {"inputs": (days[-1] + 1) * day * MINUTE}


def test_a_first_step_with_few_rows_does_not_settle_when_a_group_is_due() -> None:
    """From two rows in twelve hours, 128 rows are expected after a month. Then a row a minute arrives."""
    evidence, hour = compared(), 60
    for first in (0, 12 * hour):
        evidence.take("inputs", buckets_of(normal(1, seed=first), 1, first=first))
    note_judged(evidence, RATE, ["inputs"], 13 * hour * MINUTE)
    assert evidence.due["inputs"] > 7 * WEEK
    evidence.take("inputs", buckets_of(normal(60, seed=3), 1, first=13 * hour))
    note_judged(evidence, RATE, ["inputs"], 14 * hour * MINUTE)
    assert evidence.due == {"inputs": WEEK}


def test_when_a_group_is_due_gets_no_later_after_it_and_sooner_with_more_rows() -> None:
    evidence, day = compared(), 24 * 60
    for first in (0, 3 * day):
        evidence.take("inputs", buckets_of(normal(1, seed=first), 1, first=first))
    note_judged(evidence, RATE, ["inputs"], 4 * day * MINUTE)
    before = evidence.due["inputs"]
    assert before > 20 * WEEK
    note_judged(evidence, RATE, ["inputs"], before + WEEK)
    assert evidence.due == {"inputs": before}, "no row came"
    evidence.take("inputs", buckets_of(normal(100, seed=3), 1, first=8 * day))
    note_judged(evidence, RATE, ["inputs"], 9 * day * MINUTE)
    assert evidence.due["inputs"] < 3 * WEEK


def test_slices_are_not_awaited() -> None:
    components = (Component("slices", "city", "level", 0, "a"),)
    test = BlockTest.of("v", exact(normal(12, 1)), np.zeros(1, np.bool_), one_sided=True)
    evidence = VersionEvidence([Watched(components, StagedTest(test, 32))])
    evidence.take_slice("city", "a", buckets_of(normal(32, 1, seed=2), 1))
    assert [each.judged for each in verdicts(evidence, RATE, ["slices"])] == [False]
    note_judged(evidence, RATE, ["slices"], 1 * MINUTE)
    assert evidence.due == {}
