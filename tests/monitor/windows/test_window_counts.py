"""Counts of windows: counts of parts are additive, and a corrected outcome leaves no trace."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from rondo.monitor.evidence.reference import Reference
from rondo.monitor.windows.window_counts import WindowCounts

from tests.chassis.profiles.counts import row_counts
from tests.chassis.profiles.test_binning import BINNING, PROFILE, ROWS, Row, table
from tests.monitor.streams import HALF_WIDTH, REGRESSION, STREAMS, Stream, counted

BUCKETS = 3


def window_counts(*parts: list[Row]) -> WindowCounts:
    whole = WindowCounts.empty(Reference.of(PROFILE), BUCKETS)
    for rows in parts:
        data = {"score": np.array([r[2] for r in rows], np.float32)}
        labelled = counted(data, np.array([r[3] for r in rows], np.float64))
        # The bucket of a row follows from the row alone.
        buckets = np.array([int(r[2] * 1_000) % BUCKETS for r in rows], np.int64)
        whole = whole.with_rows(len(rows), row_counts(BINNING, table(rows))).with_labelled(labelled, buckets)
    return whole


@pytest.mark.medium
@given(ROWS, ROWS)
def test_the_counts_of_parts_add_up_to_those_of_the_whole(first: list[Row], second: list[Row]) -> None:
    assert window_counts(first + second) == window_counts(first, second)


@pytest.mark.parametrize("stream", STREAMS, ids=lambda each: each.task)
def test_losses_add_up_by_bucket_and_a_removed_one_leaves_no_rounding(stream: Stream) -> None:
    rng = np.random.default_rng(1)
    data = stream.rows(rng, 300)
    rows = counted(data, stream.outcomes(rng, data))
    buckets = np.sort(rng.integers(0, BUCKETS, 300))
    before = WindowCounts.empty(stream.reference, BUCKETS).with_labelled(rows.slice(0, 200), buckets[:200])
    after = before.with_labelled(rows.slice(200), buckets[200:])
    assert after.loss_rows.tolist() == np.bincount(buckets, minlength=BUCKETS).tolist()
    assert after.loss_sums.shape == (BUCKETS, 2 if stream is REGRESSION else 1)
    assert (after.loss_sums[:, 0] > 0).all()
    assert (after.loss_sums < after.loss_rows[:, None]).all()
    if stream is REGRESSION:
        outside = np.abs(rows["outcome"].to_numpy() - data["value"]) > HALF_WIDTH
        assert after.loss_sums[:, 1].tolist() == np.bincount(buckets, outside, BUCKETS).tolist()
    assert after.with_labelled(rows.slice(200), buckets[200:], removed=True) == before


def test_rows_without_a_loss_count_in_no_bucket() -> None:
    rows = counted({"score": np.array([0.5, np.nan], np.float32)}, np.array([1.0, 1.0]))
    found = WindowCounts.empty(Reference.of(PROFILE), BUCKETS).with_labelled(rows, np.array([0, 1]))
    assert found.loss_rows.tolist() == [1, 0, 0]
