"""The decision about a batch: pure values."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rondo.ingestion.validation.arrow_columns import RawBatch
from rondo.ingestion.validation.decision import RejectedBatch, decide

from tests.ingestion.builders import NOW, rides
from tests.ingestion.validation.builders import CONTRACT, accepted, changed, refused


def test_valid_rows_are_all_accepted() -> None:
    decision = accepted(rides(10))
    assert decision.rows.columns == ["ride", "started", "zone", "distance", "stops", "night", "rain", "tipped"]
    assert (decision.quality.accepted, decision.quality.quarantined, decision.quality.reasons) == (10, 0, {})
    assert decision.event_time_from == datetime(2013, 1, 1, tzinfo=UTC)
    assert decision.event_time_to == datetime(2013, 1, 1, 0, 9, tzinfo=UTC)
    distance = decision.quality.columns["distance"]
    assert (distance.missing, distance.distinct, distance.low, distance.high) == (0, 10, 0.0, 9.0)
    assert decision.quality.columns["rain"].missing == 2


def test_a_quarantined_row_is_kept_as_it_was_sent() -> None:
    decision = accepted(changed("distance", float("nan")).with_columns(extra=pl.lit("kept here")))
    assert decision.quarantined["row"].to_list() == [0]
    assert '"distance":"NaN"' in decision.quarantined["content"][0]
    assert '"extra":"kept here"' in decision.quarantined["content"][0]


def test_too_many_bad_rows_reject_the_batch_with_the_reasons() -> None:
    decision = refused(rides(10, distance=[-1.0, -2.0, -3.0, *[1.0] * 7]))
    share, distance = decision.reasons
    assert re.findall(r"\d[\d.]*%?|\(data.*\)", share) == ["3", "10", "30.0%", "20.0%", "(data.max_bad_share)"]
    assert re.fullmatch("distance: .* minimum 0: 3 rows, .* row 1 .* -1.0", distance)
    assert decision.quality is not None
    assert (decision.quality.accepted, decision.quality.quarantined) == (0, 10)


def test_each_reason_has_the_first_row_with_its_value() -> None:
    frame = rides(20, distance=[1.0, 1.0, -2.5, -3.0, *[1.0] * 16], zone=[None, *["north"] * 19])
    quality = accepted(frame).quality
    examples = {reason.partition(":")[0]: example for reason, example in quality.examples.items()}
    assert examples == {"distance": "row 3 with -2.5", "zone": "row 1"}
    assert quality.examples.keys() == quality.reasons.keys()


def test_a_long_value_is_shortened_in_the_reasons() -> None:
    decision = refused(rides(10, distance=["x" * 2_000_000, "y", "z", *["1"] * 7]))
    assert re.fullmatch("distance: .*: 3 rows, .* row 1 .*'x{80}…'", decision.reasons[1])


@pytest.mark.medium
@example([("r1", -1e-113, 0)])
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["r1", "r2", "r3", "r4", None]),
            st.floats(allow_nan=True, allow_infinity=True) | st.none(),
            st.sampled_from([0, 1, 2, None]),
        ),
        min_size=1,
        max_size=30,
    )
)
def test_every_row_is_published_or_quarantined_or_the_batch_is_rejected(rows: list[tuple[Any, Any, Any]]) -> None:
    frame = rides(
        len(rows),
        ride=pl.Series([r[0] for r in rows], dtype=pl.String),
        distance=pl.Series([r[1] for r in rows], dtype=pl.Float64),
        tipped=pl.Series([r[2] for r in rows], dtype=pl.Int64),
    )
    decision = decide(RawBatch(frame), "Parquet", CONTRACT, NOW)
    if isinstance(decision, RejectedBatch):
        assert decision.reasons
        return
    assert decision.rows.height + decision.quarantined.height == frame.height
    assert decision.rows.null_count().drop("rain").sum_horizontal()[0] == 0
    assert decision.rows.select("ride", "started").is_unique().all()
    # As float32, which is what a model sees: the number nearest below zero is zero there.
    assert decision.rows["distance"].cast(pl.Float32).is_between(0, 1000).all()
    assert accepted(decision.rows).rows.equals(decision.rows)
