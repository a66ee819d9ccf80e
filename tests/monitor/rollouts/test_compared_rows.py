"""The rows of two versions in the state of a comparison."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from rondo.contracts.events.inference_cost import InferenceCost
from rondo.contracts.events.monitoring import RolloutEvidence
from rondo.monitor.costs.version_cost import VersionCost
from rondo.monitor.rollouts.compared_versions import ComparedVersions
from rondo.monitor.stream.log_messages import Predictions
from rondo.monitor.windows.tumbling import to_micros

from tests.monitor.builders import DIGEST_2, EPOCH, MODEL, REFERENCE, predictions
from tests.monitor.scenarios import DailyScenario

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rondo.contracts.events.monitoring import PairedBlock

START = to_micros(EPOCH)
HOUR = 3_600_000_000


def batch(ids: Sequence[str], minutes: Sequence[int], scores: Sequence[float], *, version: int = 2) -> Predictions:
    data = {"x": np.zeros(len(ids)), "city": np.array(["a"] * len(ids)), "score": np.array(scores, np.float32)}
    rows = predictions(data, [EPOCH + timedelta(minutes=each) for each in minutes], list(ids))
    return Predictions(MODEL, version, DIGEST_2, "primary" if version == 1 else "shadow", rows)


def labelled(ids: Sequence[str], minutes: Sequence[int], scores: Sequence[float]) -> pa.Table:
    """Return rows of version 1 with the outcome 0."""
    count = len(ids)
    return pa.table(
        {
            "id": pa.array(ids, pa.string()),
            "event_time": pa.array([START + each * 60_000_000 for each in minutes]),
            "version": pa.array([1] * count),
            "number": pa.array(scores, pa.float32()),
            "outcome": pa.array([0.0] * count),
            "row": pa.array(range(count)),
        }
    )


def blocks_of(compared: ComparedVersions, rows: pa.Table) -> list[PairedBlock]:
    found = [each.event for each in compared.close_cohort(MODEL, rows, REFERENCE, START, START + HOUR)]
    return [block for event in found if isinstance(event, RolloutEvidence) for block in event.blocks]


def test_two_requests_of_one_id_are_compared_each_with_its_own() -> None:
    compared = ComparedVersions(1, 2)
    compared.add(batch(["a", "a"], [30, 3], [0.9, 0.1]), {"number": "score"})
    found = blocks_of(compared, labelled(["a", "a"], [3, 30], [0.1, 0.9]))
    assert [(each.rows, each.difference) for each in found] == [(1, 0.0), (1, 0.0)]


def test_the_primary_alone_gives_no_evidence_though_it_is_slow() -> None:
    compared, usual = ComparedVersions(1, 2), VersionCost().plus(InferenceCost((1_000,) * 200, 1, 200))
    costs = {1: usual}
    for minute in range(3):
        slow = replace(batch(["a"], [minute], [0.5], version=1), cost=InferenceCost((9_000_000,), 1, 1))
        assert list(compared.take(slow, 1, costs)) == []
    assert compared.minute is not None
    assert compared.minute.primary_slow
    assert list(compared.close_cohort(MODEL, labelled(["a"], [0], [0.5]), REFERENCE, START, START + HOUR)) == []


def test_rows_are_kept_in_few_chunks() -> None:
    compared = ComparedVersions(1, 2)
    for minute in range(200):
        compared.add(batch(["a"], [minute], [0.5]), {"number": "score"})
    assert compared.rows.num_rows == 200
    assert compared.rows.column("row").num_chunks <= 65


def test_rows_that_are_evicted_are_counted() -> None:
    scenario = DailyScenario()
    scenario.day(0)
    state = scenario.state
    state.candidates.compared = ComparedVersions(1, 2, max_rows=3)
    state.buffer_predictions(b"", batch(list("abcde"), range(5), [0.5] * 5), now=0.0)
    state.count_buffered({DIGEST_2: REFERENCE}, timed_out=-1.0)
    assert state.candidates.compared.rows.column("id").to_pylist() == ["c", "d", "e"]
    assert state.dropped.counts["evicted_compared"] == 2
