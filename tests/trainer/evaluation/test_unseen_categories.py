from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rondo.trainer.evaluation import unseen_categories
from rondo.trainer.evaluation.unseen_categories import shares_unseen

if TYPE_CHECKING:
    from collections.abc import Sequence


def by_definition(values: Sequence[str | None], rows: int, most: int, longest: int) -> list[float]:
    first = len(values) % rows
    shares = []
    for begin in range(first, len(values), rows):
        stretch, others = values[begin : begin + rows], [*values[:begin], *values[begin + rows :]]
        counts = Counter(value for value in others if value and len(value) <= longest)
        listed = sorted(counts, key=lambda value: (-counts[value], value))[:most]
        shares.append(sum(bool(value) and value not in listed for value in stretch) / rows)
    return shares


@given(st.lists(st.none() | st.sampled_from(["", "a", "b", "c", "dd", "e", "f", "gggg", "h"]), max_size=40),
       st.integers(1, 7), st.integers(1, 9))  # fmt: skip
def test_the_shares_are_those_of_a_list_of_all_other_rows(values: list[str | None], rows: int, most: int) -> None:
    column = pa.array(values, pa.large_string()).dictionary_encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(unseen_categories, "MAX_CATEGORIES", most)
        patch.setattr(unseen_categories, "MAX_CATEGORY_CHARACTERS", 3)
        assert shares_unseen(column, rows).tolist() == by_definition(values, rows, most, 3)


@pytest.mark.parametrize("seed", range(5))
def test_categories_near_the_end_of_the_list_are_counted_exactly(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = [[None, "", *"abcdefghijkl", "long text"][at] for at in rng.zipf(1.5, 400) % 15]
    column = pa.array(values, pa.large_string()).dictionary_encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(unseen_categories, "MAX_CATEGORY_CHARACTERS", 3)
        for most in range(1, 12):
            patch.setattr(unseen_categories, "MAX_CATEGORIES", most)
            for rows in (3, 20, 90):
                assert shares_unseen(column, rows).tolist() == by_definition(values, rows, most, 3)


def test_the_indices_may_be_unsigned() -> None:
    column = pa.DictionaryArray.from_arrays(pa.array([0, None, 1, 0], pa.uint32()), pa.array(["a", "b"]))
    assert shares_unseen(column, 2).tolist() == [0.0, 0.5]


@pytest.mark.parametrize("size", [300, 3_000])
def test_the_share_is_that_of_later_rows(size: int) -> None:
    """A stretch and rows that come later have the same share if all are drawn alike."""
    rng = np.random.default_rng(1)
    training, live = (rng.zipf(1.3, count) % size for count in (5_120, 50_000))
    texts = pa.array([str(value) for value in training]).dictionary_encode()
    counts = Counter(map(str, training))
    listed = {value for value, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:500]}
    expected = np.mean([str(value) not in listed for value in live])
    assert shares_unseen(texts, 10).mean() == pytest.approx(expected, abs=0.005)
