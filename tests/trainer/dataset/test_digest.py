"""Different rows have different digests."""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl
import pytest
from rondo.trainer.dataset.digest import digest_of

ROWS = pl.DataFrame({"id": ["ab", "c"], "n": [1.0, None], "at": [datetime(2013, 1, 1, tzinfo=UTC)] * 2})


def test_it_is_the_same_for_the_same_rows_however_they_lie_in_memory() -> None:
    pieces = pl.concat([ROWS[:1], ROWS[1:]], rechunk=False)
    assert digest_of(pieces) == digest_of(ROWS)


@pytest.mark.parametrize(
    "other",
    [
        ROWS.with_columns(id=pl.Series(["a", "bc"])),
        ROWS.with_columns(id=pl.Series(["ab", None])),
        ROWS.with_columns(n=pl.Series([1.0, 0.0])),
        ROWS.with_columns(n=pl.Series([None, 1.0])),
        ROWS.with_columns(at=pl.lit(datetime(2013, 1, 2, tzinfo=UTC))),
        ROWS.reverse(),
        ROWS[:1],
    ],
)
def test_it_differs_for_other_rows(other: pl.DataFrame) -> None:
    assert digest_of(other) != digest_of(ROWS)


@pytest.mark.parametrize("text", ["", "\x00"])
def test_a_missing_text_is_no_text_of_its_own(text: str) -> None:
    missing = ROWS.with_columns(id=pl.Series(["ab", None]))
    assert digest_of(missing) != digest_of(missing.with_columns(pl.col("id").fill_null(text)))
