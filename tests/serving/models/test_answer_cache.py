"""The answer cache returns the outputs of the model, and calls it only for new rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rondo.serving import metrics
from rondo.serving.inference.scoring import score

from tests.serving.builders import BINARY, FEATURES, MULTICLASS, build_model, version_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rondo.contracts.tasks.base import FittedTask
    from rondo.serving.models.answer_cache import AnswerCache
    from rondo.serving.models.loaded_version import LoadedVersion
    from rondo.serving.outputs.schema import Outputs
    from rondo.serving.requests.rows import Column

Row = tuple[float, str]


@dataclass
class Counting:
    """A scorer that keeps the number of rows of each call to the model, which may fail."""

    version: LoadedVersion
    calls: list[int] = field(default_factory=list)
    fails: bool = False
    background: None = None

    def score(self, columns: Mapping[str, Column]) -> Outputs:
        self.calls.append(len(columns["distance"]))
        if self.fails:
            raise RuntimeError
        return self.version.scorer.score(columns)


def columns(rows: Sequence[Row]) -> dict[str, Any]:
    count = len(rows)
    return {
        "distance": np.array([number for number, _ in rows], np.float32),
        "seats": np.full(count, np.nan, np.float32),
        "night": np.ones(count, np.float32),
        "carrier": np.array([text for _, text in rows], np.object_),
    }


def cached(capacity: int = 100, fitted: FittedTask = BINARY) -> tuple[AnswerCache, Counting]:
    version = version_of("delay", 1, build_model(2.0, fitted=fitted), FEATURES)
    version.cache.capacity = capacity
    return version.cache, Counting(version)


def hit_rate() -> tuple[float, float]:
    """Return the number of hits and misses so far."""
    children = (metrics.ANSWER_CACHE_ROWS.labels("delay", result) for result in ("hit", "miss"))
    hits, misses = (child._value.get() for child in children)
    return hits, misses


@pytest.mark.medium
@pytest.mark.parametrize("fitted", [BINARY, MULTICLASS])
def test_the_model_scores_a_row_once(fitted: FittedTask) -> None:
    cache, scorer = cached(fitted=fitted)
    first, second = columns([(1, "AA"), (2, "B")]), columns([(2, "B"), (3, "B"), (2, ""), (1, "AA")])
    before = hit_rate()
    cache.score(scorer.score, first)
    found = cache.score(scorer.score, second)
    assert scorer.calls == [2, 2]
    assert tuple(after - earlier for after, earlier in zip(hit_rate(), before, strict=True)) == (2, 4)
    cache.score(scorer.score, second)
    assert scorer.calls == [2, 2]
    for name, values in scorer.version.scorer.score(second).items():
        assert found[name].dtype == values.dtype
        np.testing.assert_array_equal(found[name], values)


def test_texts_that_are_divided_otherwise_are_another_row() -> None:
    features = dict.fromkeys(("a", "b"), FEATURES["carrier"]) | {"distance": FEATURES["distance"]}
    version = version_of("delay", 1, build_model(2.0, features), features)
    version.cache.capacity = 10
    scorer = Counting(version)
    for a, b in (("xy", "z"), ("x", "yz"), ("", "xyz"), ("xy", "z")):
        texts = {name: np.array([text], np.object_) for name, text in (("a", a), ("b", b))}
        version.cache.score(scorer.score, texts | {"distance": np.array([1], np.float32)})
    assert scorer.calls == [1, 1, 1]


def test_the_rows_that_were_asked_for_last_are_kept() -> None:
    cache, scorer = cached(capacity=2)
    for number in (1, 2, 1, 3, 1, 2):
        cache.score(scorer.score, columns([(number, "")]))
    assert scorer.calls == [1] * 4  # 2 was dropped for 3, because 1 was requested later


def test_a_smaller_capacity_frees_what_is_kept_at_once() -> None:
    cache, scorer = cached(capacity=3)
    cache.score(scorer.score, columns([(1, ""), (2, ""), (3, "")]))
    kept = cache._kept
    for capacity in (2, 0):
        cache.capacity = capacity
        assert len(kept) == capacity


def test_without_a_capacity_nothing_is_kept() -> None:
    cache, scorer = cached(capacity=0)
    for _ in range(3):
        cache.score(scorer.score, columns([(1, "")]))
    assert scorer.calls == [1, 1, 1]


def test_what_cannot_be_answered_is_not_kept() -> None:
    cache, scorer = cached()
    row = columns([(float("inf"), "")])
    for _ in range(2):
        assert not scorer.version.outputs.answerable(cache.score(scorer.score, row)).all()
    assert scorer.calls == [1, 1]


@pytest.mark.medium
def test_a_model_that_fails_fails_for_new_rows_alone() -> None:
    cache, scorer = cached()
    cache.score(scorer.score, columns([(1, "")]))
    scorer.fails = True
    assert cache.score(scorer.score, columns([(1, "")]))["score"].tolist() == [2.0]
    with pytest.raises(RuntimeError):
        cache.score(scorer.score, columns([(1, ""), (2, "")]))


def test_bulk_scoring_does_not_displace_live_rows() -> None:
    cache, scorer = cached()
    for _ in range(2):
        score(scorer.version, columns([(1, "")]), 1, timed=False)
    before = hit_rate()
    score(scorer.version, columns([(1, "")]), 1)
    assert (hit_rate()[0], hit_rate()[1] - before[1]) == (before[0], 1)
    assert cache.capacity


@pytest.mark.medium
@given(st.lists(st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["", "a", "ab"])), min_size=1, max_size=4)))
def test_any_sequence_of_batches_is_answered_as_by_the_model(batches: list[list[Row]]) -> None:
    cache, scorer = cached(capacity=3)
    for batch in batches:
        found, wanted = cache.score(scorer.score, columns(batch)), scorer.version.scorer.score(columns(batch))
        assert {name: values.tolist() for name, values in found.items()} == {
            name: values.tolist() for name, values in wanted.items()
        }
