"""Counts of windows: those of parts add up."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from rondo.monitor.windows.window_counts import WindowCounts

from tests.chassis.profiles.test_binning import BINNING, PROFILE, ROWS, Row, table
from tests.monitor.streams import counted


def window_counts(*parts: list[Row]) -> WindowCounts:
    whole = WindowCounts.empty(PROFILE.task, BINNING.size)
    for rows in parts:
        data = {"score": np.array([r[2] for r in rows], np.float32)}
        labelled = counted(data, np.array([r[3] for r in rows], np.float64))
        whole = whole.with_rows(len(rows), BINNING.count(table(rows))).with_labelled(labelled)
    return whole


@given(ROWS, ROWS)
def test_the_counts_of_parts_add_up_to_those_of_the_whole(first: list[Row], second: list[Row]) -> None:
    assert window_counts(first + second) == window_counts(first, second)
