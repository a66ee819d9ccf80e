"""The rows of two versions in the state of a comparison."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest
from rondo.contracts.events.inference_cost import InferenceCost
from rondo.contracts.events.monitoring import RolloutEvidence
from rondo.monitor.costs.version_cost import VersionCost
from rondo.monitor.rollouts.compared_versions import ComparedVersions, decoded, encoded
from rondo.monitor.stream.log_messages import Predictions
from rondo.monitor.windows.tumbling import to_micros

from tests.monitor.builders import DIGEST_2, EPOCH, MODEL, REFERENCE, outcomes, predictions
from tests.monitor.scenarios import NEXT, DailyScenario

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rondo.contracts.events.monitoring import PairedBlock

START = to_micros(EPOCH)
HOUR = 3_600_000_000


def batch(
    ids: Sequence[str], minutes: Sequence[float], scores: Sequence[float], *, version: int = 2, role: str = ""
) -> Predictions:
    data = {"x": np.zeros(len(ids)), "city": np.array(["a"] * len(ids)), "score": np.array(scores, np.float32)}
    rows = predictions(data, [EPOCH + timedelta(minutes=each) for each in minutes], list(ids))
    return Predictions(MODEL, version, DIGEST_2, role or ("primary" if version == 1 else "shadow"), rows)


def labelled(
    ids: Sequence[str], minutes: Sequence[int], scores: Sequence[float], versions: Sequence[int] = ()
) -> pa.Table:
    """Return rows with the outcome 0. Their version defaults to 1."""
    count = len(ids)
    return pa.table(
        {
            "id": pa.array(ids, pa.string()),
            "event_time": pa.array([START + each * 60_000_000 for each in minutes]),
            "version": pa.array(versions or [1] * count),
            "number": pa.array(scores, pa.float32()),
            "outcome": pa.array([0.0] * count),
            "row": pa.array(range(count)),
        }
    )


def blocks_of(compared: ComparedVersions, rows: pa.Table) -> list[PairedBlock]:
    found = [each.event for each in compared.close_cohort(MODEL, rows, REFERENCE, (1, START), START + HOUR)]
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
    assert list(compared.close_cohort(MODEL, labelled(["a"], [0], [0.5]), REFERENCE, (1, START), START + HOUR)) == []


def test_versions_that_rank_alike_differ_by_the_loss_of_their_probabilities() -> None:
    compared, ids, minutes = ComparedVersions(1, 2), list("abcd"), [1, 2, 3, 4]
    compared.add(batch(ids, minutes, [0.6, 0.7, 0.8, 0.9]), {"number": "score"})
    found = blocks_of(compared, labelled(ids, minutes, [0.1, 0.2, 0.3, 0.4]))
    assert all(block.difference > 0.1 for block in found)


def evidence_of(compared: ComparedVersions, version: int, rows: pa.Table) -> list[tuple[int, int, list[float], bool]]:
    found = [each.event for each in compared.close_cohort(MODEL, rows, REFERENCE, (version, START), START + HOUR)]
    return [
        (
            each.primary,
            each.other,
            [round(block.difference, 1) for block in each.blocks],
            each.complete_until is not None,
        )
        for each in found
        if isinstance(each, RolloutEvidence)
    ]


def test_the_outcomes_of_requests_before_a_promotion_count_after_it() -> None:
    compared = ComparedVersions(1, 2)
    compared.add(batch(["a", "b"], [1, 2], [1.0, 1.0]), {"number": "score"})
    list(compared.take(batch(["c"], [3], [0.0], version=2, role="primary"), 2, {}))
    list(compared.take(batch(["c"], [3], [1.0], version=1, role="shadow"), 2, {}))
    compared.add(batch(["c"], [3], [1.0], version=1, role="shadow"), {"number": "score"})
    saved = encoded(compared)
    compared = decoded(saved, compared.rows, compared.next_row)
    rows = labelled(["a", "c"], [1, 3], [0.0, 0.0], versions=[1, 2])
    assert evidence_of(compared, 1, rows) == [(1, 2, [1.0], False)]
    assert evidence_of(compared, 2, rows) == [(2, 1, [1.0], True)]
    assert compared.rows.num_rows == 0
    assert evidence_of(ComparedVersions(2, 0, former=1), 2, rows) == []


def test_a_window_of_the_champion_before_is_compared_after_the_promotion() -> None:
    scenario = DailyScenario()
    scenario.day(0, labels=False)
    compared = scenario.state.candidates.compared = ComparedVersions(1, 2)
    ids, minutes = [f"0-1-{number}" for number in range(1_000)], [number * 1.44 for number in range(1_000)]
    compared.add(batch(ids, minutes, [0.5] * 1_000), {"number": "score"})
    scenario.promote(NEXT)
    list(compared.take(batch(["c"], [1_500], [0.0], role="primary"), 2, {}))
    scenario.restart()
    known = [EPOCH + timedelta(minutes=each + 60) for each in minutes]
    scenario.add_outcomes(outcomes(list(ids), np.arange(1_000) % 2.0, known))
    scenario.day(2, version=2)
    scenario.close()
    found = scenario.one(RolloutEvidence)
    assert (found.primary, found.other, sum(block.rows for block in found.blocks)) == (1, 2, 1_000)


def test_another_candidate_begins_without_rows() -> None:
    compared = ComparedVersions(1, 2)
    compared.add(batch(["a"], [1], [1.0]), {"number": "score"})
    list(compared.take(batch(["b"], [2], [1.0], version=3), 1, {}))
    assert (compared.other, compared.former, compared.rows.num_rows) == (3, 0, 0)


@pytest.mark.medium
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
