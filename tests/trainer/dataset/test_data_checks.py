"""Rows that a stranger brings: each peculiarity has a note, and a leak refuses the training."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from rondo.trainer.dataset.data_checks import notes, refuse_leak
from rondo.trainer.dataset.split import split
from rondo.trainer.errors import LeakError

from tests.trainer.builders import START, rows, spec


def with_feature(**feature: Any) -> Any:
    return spec(features=feature)


def codes(frame: pl.DataFrame, described: Any = None) -> dict[str, str | None]:
    described = described or spec()
    return {note.code: note.feature for note in notes(described, split(described, frame))}


def test_ordinary_rows_have_no_note() -> None:
    assert codes(rows(2_000)) == {}
    refuse_leak(spec(), rows(2_000))


def test_a_constant_feature_is_named() -> None:
    assert codes(rows(2_000).with_columns(distance=pl.lit(7.0)))["constant"] == "distance"


def test_a_feature_without_values_is_named() -> None:
    assert codes(rows(2_000).with_columns(carrier=pl.lit(None, pl.String))) == {"no_values": "carrier"}


def test_a_category_that_only_the_holdout_has_is_named() -> None:
    late = pl.col("departure") > START + timedelta(minutes=1_950)
    frame = rows(2_000).with_columns(carrier=pl.when(late).then(pl.lit("ZZ")).otherwise("carrier"))
    assert codes(frame) == {"unseen_category": "carrier"}


def test_a_category_that_early_rows_have_is_none_that_the_training_lacks() -> None:
    minute = pl.col("departure") - START
    with_it = (minute < timedelta(minutes=100)) | (minute > timedelta(minutes=29_900))
    frame = rows(30_000).with_columns(carrier=pl.when(with_it).then(pl.lit("ZZ")).otherwise("carrier"))
    assert codes(frame) == {}


def test_a_rare_class_is_named() -> None:
    rare = (pl.int_range(pl.len()) % 200 == 0).cast(pl.Float64)
    (note,) = notes(spec(), split(spec(), rows(4_000).with_columns(late=rare)))
    assert note.code == "rare_class"
    assert re.search(r"^0\.50% .*\(18\) .* label 1\b", note.message)


def test_the_label_may_be_called_count() -> None:
    described = spec(data={**spec().data.model_dump(), "label": "count"})
    rare = (pl.int_range(pl.len()) % 200 == 0).cast(pl.Float64)
    assert codes(rows(4_000).drop("late").with_columns(count=rare), described) == {"rare_class": None}


def test_repeated_rows_are_counted() -> None:
    one = rows(500)
    again = [one.with_columns(departure=pl.col("departure") + timedelta(days=day)) for day in range(4)]
    assert codes(pl.concat(again)) == {"repeated_rows": None}


def test_rows_that_differ_in_no_single_column_are_not_repeated() -> None:
    number = pl.int_range(pl.len())
    frame = rows(2_000).with_columns(distance=(number % 50).cast(pl.Float32), carrier=(number // 50).cast(pl.String))
    assert "repeated_rows" not in codes(frame)


@pytest.mark.parametrize(
    "copy",
    [
        pl.col("late"),
        pl.col("late") * -3 + 7,
        pl.when(pl.col("late") == 1).then(pl.lit("UP")).otherwise(pl.lit("DOWN")),
    ],
    ids=["the label", "a multiple", "other names"],
)
def test_a_copy_of_the_label_is_refused_by_its_name(copy: pl.Expr) -> None:
    described = with_feature(outcome={"type": "category"})
    with pytest.raises(LeakError) as refusal:
        refuse_leak(described, rows(2_000).with_columns(outcome=copy))
    assert refusal.value.feature == "outcome"
    assert "is the label 'late' itself, or the label by other names" in str(refusal.value)
    assert "take 'outcome' out of `features`" in str(refusal.value)


MISSING = {"one": pl.int_range(pl.len()) == 1_200, "most": pl.int_range(pl.len()) % 20 > 0}


@pytest.mark.parametrize("missing", MISSING)
@pytest.mark.parametrize("unknown", [None, float("nan")])
@pytest.mark.parametrize("task", ["binary", "regression"])
def test_a_copy_of_the_label_is_refused_where_values_are_missing(
    task: str, unknown: float | None, missing: str
) -> None:
    label = pl.col("late") if task == "binary" else pl.int_range(pl.len()) % 37 + 0.5
    frame = (
        rows(2_000)
        .with_columns(late=label)
        .with_columns(outcome=pl.when(MISSING[missing]).then(pl.lit(unknown)).otherwise(pl.col("late") * 2))
    )
    described = spec(task=task, features={"outcome": {"type": "float", "optional": True}})
    with pytest.raises(LeakError) as refusal:
        refuse_leak(described, frame)
    assert refusal.value.feature == "outcome"


def test_a_feature_that_is_known_in_few_rows_or_for_one_class_is_no_copy() -> None:
    described = with_feature(outcome={"type": "float", "optional": True})
    for known in (pl.int_range(pl.len()) < 40, pl.col("late") == 1):
        refuse_leak(described, rows(2_000).with_columns(outcome=pl.when(known).then("late")))


def test_a_feature_that_is_only_related_to_the_label_is_none() -> None:
    rng = np.random.default_rng(3)
    noise = pl.Series(rng.random(2_000) < 0.001)
    frame = rows(2_000).with_columns(outcome=pl.when(noise).then(1 - pl.col("late")).otherwise("late"))
    refuse_leak(with_feature(outcome={"type": "float"}), frame)


def test_a_multiple_of_a_number_is_refused() -> None:
    described = spec(task="regression", features={"cents": {"type": "float"}})
    frame = rows(2_000).with_columns(late=pl.col("distance").cast(pl.Float64), cents=pl.col("distance") * 100)
    with pytest.raises(LeakError) as refusal:
        refuse_leak(described, frame)
    assert refusal.value.feature == "distance"
