"""Features that repeat more often than in the training: found soon, and by chance as rarely as stated."""

from __future__ import annotations

import numpy as np
import pytest
from rondo.chassis.profiles.row_hashes import repeated_shares
from rondo.contracts.training_evidence import RepeatedRows
from rondo.monitor.quality import repeated_features
from rondo.monitor.quality.repeated_features import MOST_BLOCKS, RepeatedFeatures

BLOCK, RATE = 64, 0.05


def rows(rng: np.random.Generator, count: int, values: int = 2_000) -> np.ndarray:
    """Return rows with `values` different features. With the default about 1.5% of a block are repeated by chance."""
    return rng.integers(0, values, count).astype(np.uint64)


def reference(rng: np.random.Generator, blocks: int = 64) -> RepeatedRows:
    return RepeatedRows(rows=BLOCK, shares=tuple(repeated_shares(rows(rng, blocks * BLOCK), BLOCK).tolist()))


def take(repeats: RepeatedFeatures, usual: RepeatedRows, hashes: np.ndarray, begin: int = 0, version: int = 1) -> None:
    repeats.take(version, usual, hashes, np.arange(begin, begin + len(hashes)), RATE)


def test_a_stuck_sensor_is_found_within_a_few_blocks_and_its_end_as_well() -> None:
    rng = np.random.default_rng(1)
    usual, repeats = reference(rng), RepeatedFeatures()
    take(repeats, usual, rows(rng, 100 * BLOCK))
    assert repeats.alarm is None
    stuck = rows(rng, 20 * BLOCK)
    stuck[::2] = 7
    take(repeats, usual, stuck, 100 * BLOCK)
    alarm = repeats.alarm
    assert alarm is not None
    assert (alarm.since, alarm.at <= 112 * BLOCK) == (100 * BLOCK, True)
    assert alarm.value > alarm.reference + 0.05
    take(repeats, usual, rows(rng, 12 * BLOCK), 120 * BLOCK)
    assert (repeats.alarm, repeats.stage) == (None, 1)


def alarms_of(streams: int, values: int) -> int:
    """Return how many streams with `values` different features alarm. The reference has 2,000 different features."""
    alarms = 0
    for seed in range(streams):
        rng = np.random.default_rng(seed)
        usual, repeats = reference(rng, 20), RepeatedFeatures()
        take(repeats, usual, rows(rng, 400 * BLOCK, values))
        alarms += repeats.alarm is not None
    return alarms


@pytest.mark.slow
def test_the_evidence_alone_alarms_as_rarely_as_is_stated(monkeypatch: pytest.MonkeyPatch) -> None:
    assert alarms_of(20, values=2_000) == 0
    for excess in ("LARGEST_EXCESS", "ENDING_EXCESS"):
        monkeypatch.setattr(repeated_features, excess, -1.0)
    # At most 5 of 100 streams are expected to alarm. In that case 12 or more have a probability below 0.5%.
    assert alarms_of(100, values=2_000) < 12
    assert alarms_of(20, values=500) == 20


def test_data_with_few_categories_repeats_by_nature() -> None:
    rng = np.random.default_rng(2)
    few = [rows(rng, 64 * BLOCK, values=12) for _ in range(2)]
    usual = RepeatedRows(rows=BLOCK, shares=tuple(repeated_shares(few[0], BLOCK).tolist()))
    repeats = RepeatedFeatures()
    take(repeats, usual, few[1])
    assert repeats.alarm is None
    assert repeats.newest(usual)[0] > 0.7


def test_it_does_not_matter_how_the_rows_arrive() -> None:
    rng = np.random.default_rng(3)
    usual, whole, parts = reference(rng), RepeatedFeatures(), RepeatedFeatures()
    some = rows(rng, 40 * BLOCK + 11)
    some[20 * BLOCK :: 3] = 1
    take(whole, usual, some)
    begin = 0
    for part in np.array_split(some, 97):
        take(parts, usual, part, begin)
        begin += len(part)
    assert whole.alarm is not None
    assert parts == whole


@pytest.mark.medium
def test_memory_is_bounded_and_each_stage_has_less_of_the_rate() -> None:
    rng = np.random.default_rng(4)
    usual, repeats = reference(rng), RepeatedFeatures()
    take(repeats, usual, rows(rng, (MOST_BLOCKS + 5) * BLOCK))
    assert (repeats.stage, len(repeats.shares)) == (1, 5)


def test_another_version_begins_without_the_alarm_and_an_older_one_is_ignored() -> None:
    rng = np.random.default_rng(5)
    usual, repeats = reference(rng), RepeatedFeatures()
    take(repeats, usual, np.zeros(30 * BLOCK, np.uint64))
    assert repeats.alarm is not None
    take(repeats, usual, rows(rng, 3), version=2)
    assert (repeats.alarm, repeats.version, len(repeats.hashes)) == (None, 2, 3)
    take(repeats, usual, rows(rng, 3), version=1)
    assert len(repeats.hashes) == 3
