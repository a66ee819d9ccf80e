"""Two versions compared by the requests that each of them answered: parts of equal size, and each key once."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from rondo.contracts.events.monitoring import RolloutEvidence
from rondo.contracts.key_position import position
from rondo.monitor.rollouts.compared_versions import ComparedVersions, decoded, encoded

from tests.monitor.builders import MODEL, REFERENCE
from tests.monitor.rollouts.test_compared_rows import HOUR, START, batch, labelled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rondo.contracts.events.monitoring import ComparedArms

IDS = [f"q{number}" for number in range(2_000)]
SHARE = 0.2
AT = {key: position(MODEL, key) for key in IDS}
CANDIDATES = sorted(key for key in IDS if AT[key] < SHARE)
BASELINE = sorted(key for key in IDS if AT[key] >= 1 - SHARE)


def add(compared: ComparedVersions, ids: Sequence[str], share: float = SHARE, *, every: bool = True) -> None:
    """Add the scores of the other version, 0.5, for the requests that it answered. With `every` also for the others."""
    answered = [key for key in ids if AT[key] < share]
    compared.add(replace(batch(answered, [1] * len(answered), [0.5] * len(answered), role="canary"), share=share),
                 {"number": "score"})  # fmt: skip
    rest = [key for key in ids if AT[key] >= share]
    if every:
        compared.add(batch(rest, [1] * len(rest), [0.5] * len(rest)), {"number": "score"})


def close(compared: ComparedVersions, ids: Sequence[str], scores: Sequence[float] = ()) -> list[ComparedArms]:
    """Close the cohort of these requests, whose outcome is 0. The primary's scores default to 0."""
    rows = labelled(ids, [1] * len(ids), scores or [0.0] * len(ids))
    rows = rows.append_column("entity", rows.column("id"))
    found = compared.close_cohort(MODEL, rows, REFERENCE, (1, START), START + HOUR, by_answer=True)
    events = [each.event for each in found if isinstance(each.event, RolloutEvidence)]
    assert all(not event.blocks for event in events)
    return [block for event in events for block in event.arms]


@pytest.mark.parametrize("every", [True, False])
def test_the_baseline_is_as_large_a_part_of_the_keys_as_the_candidates(every: bool) -> None:  # noqa: FBT001 - a case
    compared = ComparedVersions(1, 2)
    add(compared, IDS, every=every)
    # Requests that the primary scored but did not answer are not evidence about it.
    (found,) = close(compared, IDS, [0.9 if AT[key] < 1 - SHARE else 0.0 for key in IDS])
    assert (found.other_rows, found.primary_rows) == (len(CANDIDATES), len(BASELINE))
    assert found.primary_loss < 0.01
    assert found.other_loss > 0.1


def test_a_share_above_one_half_is_compared_with_as_much_as_the_champion_has() -> None:
    compared = ComparedVersions(1, 2)
    add(compared, IDS, 0.8)
    (found,) = close(compared, IDS)
    assert (found.other_rows, found.primary_rows) == (len(CANDIDATES), len(BASELINE))


def test_a_key_counts_once_also_after_a_restart() -> None:
    compared = ComparedVersions(1, 2)
    add(compared, IDS[:1_000])
    (before,) = close(compared, IDS[:1_000])
    compared = decoded(encoded(compared), compared.rows, compared.next_row)
    add(compared, IDS)
    (after,) = close(compared, IDS)
    assert before.other_rows + after.other_rows == len(CANDIDATES)
    assert before.primary_rows + after.primary_rows == len(BASELINE)
    assert min(before.other_rows, after.other_rows) > 0


def test_a_key_with_many_requests_counts_once() -> None:
    compared, ids = ComparedVersions(1, 2), [CANDIDATES[0]] * 5 + [BASELINE[0]] * 3
    add(compared, ids)
    (found,) = close(compared, ids)
    assert (found.other_rows, found.primary_rows) == (1, 1)


def test_the_next_rollout_begins_without_keys() -> None:
    compared = ComparedVersions(1, 2)
    add(compared, IDS)
    close(compared, IDS)
    assert compared.arms.count == len(CANDIDATES) + len(BASELINE)
    list(compared.take(batch(["a"], [2], [0.5], version=3), 1, {}))
    assert not compared.arms.count


def test_no_more_keys_count_than_a_checkpoint_may_hold() -> None:
    compared = ComparedVersions(1, 2)
    compared.arms.max_keys = 10
    add(compared, IDS)
    (found,) = close(compared, IDS)
    assert found.other_rows + found.primary_rows == 10
    add(compared, IDS)
    assert close(compared, IDS) == []


def test_without_an_answer_of_the_candidate_nothing_is_compared() -> None:
    compared = ComparedVersions(1, 2)
    compared.add(batch(IDS, [1] * len(IDS), [0.5] * len(IDS)), {"number": "score"})
    assert close(compared, IDS) == []


def test_equal_versions_differ_by_no_more_than_chance_where_keys_differ() -> None:
    """If rows counted instead of keys, the rows of few keys would show a difference between the keys repeatedly."""
    rng, compared, differences = np.random.default_rng(3), ComparedVersions(1, 2), []
    of_key = dict(zip(IDS, rng.random(len(IDS)), strict=True))
    few = CANDIDATES[:5] + BASELINE[:5]
    for _ in range(20):
        compared.add(
            replace(batch(few[:5], [1] * 5, [of_key[key] for key in few[:5]], role="canary"), share=SHARE),
            {"number": "score"},
        )
        differences += close(compared, few, [of_key[key] for key in few])
    assert [(each.other_rows, each.primary_rows) for each in differences] == [(5, 5)]
