"""The share of rows that count in no window, and its alert."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rondo.contracts.events.monitoring import AlertRaised, AlertResolved
from rondo.monitor.alerts.dropped_rows import (
    BLOCK_ROWS,
    Coverage,
    CoverageTransition,
    DroppedRows,
    coverage_alert,
    observe,
)
from rondo.monitor.alerts.hysteresis import AlarmState

from tests.monitor.builders import EPOCH, MODEL


def masks(*blocks: float) -> np.ndarray:
    """Return the masks of full blocks, in each of which a share of the rows is dropped."""
    rows = np.arange(BLOCK_ROWS) / BLOCK_ROWS
    return np.concatenate([rows < share for share in blocks])


def changes(*blocks: float) -> list[tuple[str, int]]:
    return [(each.change, each.block.blocks) for each in observe(Coverage(), masks(*blocks))[1]]


def test_one_block_is_not_enough_and_a_tenth_is_not_too_much() -> None:
    assert changes(0, 1, 0, 1, 0) == []
    assert changes(0.1, 0.1, 0.1) == []


def test_two_blocks_in_a_row_raise_the_alarm_once_and_two_good_ones_end_it() -> None:
    assert changes(0, 0.2, 0.2, 1, 1, 0, 1, 0, 0, 0) == [("raised", 2), ("recovered", 8)]


def test_a_transition_has_the_share_of_its_block() -> None:
    (transition,) = observe(Coverage(), masks(0.5, 0.25))[1]
    assert (transition.block.share, transition.block.rows) == (0.25, BLOCK_ROWS)


def test_the_last_share_is_that_of_the_last_full_block() -> None:
    coverage, _ = observe(Coverage(), np.ones(1, np.bool_))
    assert coverage.last == 0
    coverage, _ = observe(coverage, np.arange(BLOCK_ROWS) < 100)
    assert (coverage.last, coverage.rows) == (101 / BLOCK_ROWS, 1)
    coverage, _ = observe(coverage, np.zeros(BLOCK_ROWS - 1, np.bool_))
    assert coverage.last == 0
    clean, _ = observe(Coverage(last=0.5), np.zeros(BLOCK_ROWS, np.bool_))
    assert clean.last == 0


@pytest.mark.parametrize(
    ("rows", "share"),
    [
        (np.zeros(0, np.bool_), 0),
        (np.ones(20, np.bool_), 1),
        (np.arange(100) < 25, 0.25),
        (np.arange(BLOCK_ROWS) < 100, 0.2),
        (masks(0, 1)[: BLOCK_ROWS + 100], 100 / 600),
        (masks(1, 0, 1), 1),
    ],
)
def test_the_recent_share_is_known_before_a_block_is_full(rows: np.ndarray, share: float) -> None:
    coverage, _ = observe(Coverage(), rows)
    assert coverage.recent_share == pytest.approx(share)


def test_an_alert_after_a_removal_has_another_id_than_those_before_it() -> None:
    dropped, at = DroppedRows(), EPOCH
    ids = []
    for _ in range(3):
        dropped.record(MODEL, at, late_rows=masks(1, 1))
        (raised,) = dropped.drain_alerts()
        (resolved,) = dropped.resolve(MODEL, at, "the model was removed")
        assert isinstance(raised.event, AlertRaised)
        assert isinstance(resolved.event, AlertResolved)
        assert raised.event.alert_id == resolved.event.alert_id
        assert dropped.coverage.recent_share == 0
        ids.append(raised.event.alert_id)
    assert len(set(ids)) == 3


@given(st.lists(st.sampled_from([0.0, 0.05, 0.5, 1.0]), max_size=8), st.data())
def test_the_result_does_not_depend_on_how_the_rows_arrive(blocks: list[float], data: st.DataObject) -> None:
    rows = masks(*blocks, 0.5)[: -BLOCK_ROWS // 2]
    cuts = sorted(data.draw(st.lists(st.integers(0, rows.size), max_size=5)))
    coverage, transitions = Coverage(), []
    for first, end in pairwise([0, *cuts, rows.size]):
        coverage, more = observe(coverage, rows[first:end])
        transitions += more
    assert (coverage, transitions) == observe(Coverage(), rows)


def test_the_alert_names_the_reasons_and_its_end_has_the_same_id() -> None:
    block = Coverage(rows=500, dropped=400, blocks=7)
    counts = {"late_rows": 390, "implausible_rows": 10, "undated_rows": 0, "unprofiled": 0, "evicted_rows": 0}
    raised = coverage_alert(MODEL, CoverageTransition("raised", block), counts, EPOCH).event
    assert isinstance(raised, AlertRaised)
    assert raised.title == "loans: 80% of its requests are not monitored"
    assert "400 of the last 500 rows count in no window, so drift and degradation go unnoticed" in raised.detail
    assert "late_rows 390, implausible_rows 10, undated_rows 0, unprofiled 0, evicted_rows 0" in raised.detail
    after = replace(block, dropped=5, blocks=9, alarm=AlarmState(alert_id="7"))
    resolved = coverage_alert(MODEL, CoverageTransition("recovered", after), counts, EPOCH).event
    assert isinstance(resolved, AlertResolved)
    assert (resolved.alert_id, resolved.detail) == (
        raised.alert_id,
        "99% of the last 500 rows count in a window again",
    )
