"""Checks of unknown data: each peculiarity has a note, and a leak refuses the training."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from rondo.contracts.tasks.regression import least_rows
from rondo.trainer.dataset.data_checks import calibration_notes, described_left_out, notes, refuse_leak
from rondo.trainer.dataset.determined_labels import undecided_rows
from rondo.trainer.dataset.split import split
from rondo.trainer.dataset.training_set import RowsLeftOut
from rondo.trainer.errors import LeakError

from tests.trainer.builders import START, rows, spec, with_wind


def with_feature(**feature: Any) -> Any:
    return spec(features=feature)


def codes(frame: pl.DataFrame, described: Any = None) -> dict[str, str | None]:
    described = described or spec()
    return {note.code: note.feature for note in notes(described, split(described, frame))}


@pytest.mark.parametrize(
    ("lacking", "advice"),
    [
        (["distance"], {"the files have it,", "--batch-id"}),
        (["wind"], {"`max_age`", "earlier values,"}),
        (["distance", "wind"], {"the files have 'distance',", "--batch-id", "`max_age`", "earlier values of 'wind' "}),
    ],
    ids=["sent", "joined", "both"],
)
def test_each_lacking_feature_has_the_advice_of_its_kind(lacking: list[str], advice: set[str]) -> None:
    """A joined feature is in no file of the dataset, and `max_age` is a key of joined ones only."""
    sentence = described_left_out(with_wind(), RowsLeftOut(9, dict.fromkeys(lacking, 9)), 1)
    every = {"the files have it,", "the files have 'distance',", "--batch-id", "`max_age`", "earlier values,"}
    assert {each for each in every | {"earlier values of 'wind' "} if each in sentence} == advice


def test_ordinary_rows_have_no_note() -> None:
    assert codes(rows(2_000)) == {}
    refuse_leak(spec(), rows(2_000))


def test_a_constant_feature_is_named() -> None:
    assert codes(rows(2_000).with_columns(distance=pl.lit(7.0)))["constant"] == "distance"


@pytest.mark.parametrize("every", [1, 2], ids=["every row", "every second row, beside nulls"])
def test_a_feature_without_numbers_has_no_values(every: int) -> None:
    nan = pl.when(pl.int_range(pl.len()) % every == 0).then(pl.lit(float("nan"), pl.Float32)).otherwise(None)
    found = codes(rows(2_000).with_columns(distance=nan))
    assert found["no_values"] == "distance"
    assert "constant" not in found


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
    assert codes(pl.concat(again)) == {"repeated_rows": None, "repeated_holdout": None}


@pytest.mark.parametrize(("copied", "noted"), [(0, False), (15, False), (25, True), (200, True)])
def test_rows_of_the_holdout_that_equal_training_rows_are_counted(copied: int, *, noted: bool) -> None:
    """The holdout has 200 rows. The training rows have few repeated ones."""
    frame = rows(2_000)
    copies = frame.head(copied).with_columns(departure=frame["departure"].tail(copied))
    assert ("repeated_holdout" in codes(pl.concat([frame.head(2_000 - copied), copies]))) is noted
    one_feature = copies.with_columns(distance=pl.col("distance") + 0.5)
    assert codes(pl.concat([frame.head(2_000 - copied), one_feature])) == {}
    other_label = copies.with_columns(late=1 - pl.col("late"))
    assert codes(pl.concat([frame.head(2_000 - copied), other_label])) == {}


def test_a_missing_value_equals_a_missing_value() -> None:
    frame = rows(2_000).with_columns(distance=pl.when(pl.int_range(pl.len()) % 2 == 0).then("distance"))
    copies = frame.head(200).with_columns(departure=frame["departure"].tail(200))
    assert "repeated_holdout" in codes(pl.concat([frame.head(1_800), copies]))


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


# What becomes of a feature that is made of the label, a number: its training is refused, has a note, or neither.
OF_NUMBERS = {
    "the number as a text": (pl.col("late").cast(pl.String), "refused"),
    "a multiple as a text": ((pl.col("late") * 3 + 1).cast(pl.String), "refused"),
    "a name for each number": (pl.lit("size ") + pl.col("late").cast(pl.String), "noted"),
    "its logarithm": (pl.col("late").log().cast(pl.Float32), "noted"),
    "its inverse": ((1 / pl.col("late")).cast(pl.Float32), "noted"),
    "an id of the row": (pl.lit("row ") + pl.int_range(pl.len()).cast(pl.String), ""),
    "its hundreds, by name": (pl.lit("size ") + (pl.col("late") // 100).cast(pl.String), ""),
    "its logarithm with noise": (pl.col("late").log() + pl.int_range(pl.len()) % 7 / 100, ""),
    "one row otherwise": (pl.when(pl.int_range(pl.len()) == 100).then(0.0).otherwise(pl.col("late").log()), ""),
    "a few steps": (pl.col("late") // 200, ""),
}


@pytest.mark.parametrize("copy", OF_NUMBERS)
def test_what_gives_a_number_by_itself_is_refused_as_a_multiple_and_has_a_note_as_anything_else(copy: str) -> None:
    made, expected = OF_NUMBERS[copy]
    label = pl.int_range(pl.len()) * 7919 % 499 + 1.0
    frame = rows(2_000).with_columns(late=label).with_columns(outcome=made)
    kind = "category" if frame["outcome"].dtype == pl.String else "float"
    described = spec(task="regression", features={"outcome": {"type": kind}})
    if expected == "refused":
        with pytest.raises(LeakError) as refusal:
            refuse_leak(described, frame)
        assert refusal.value.feature == "outcome"
        return
    refuse_leak(described, frame)
    found = {note.code: note.feature for note in notes(described, split(described, frame))}
    assert found.get("determines_label") == ("outcome" if expected else None)


AT = pl.int_range(pl.len())
NEAR_A_MILLION = 1e6 + pl.int_range(pl.len()) % 97 * 0.013
COPIES = {
    "the label": pl.col("late").cast(pl.Float32),
    "a multiple": (pl.col("late") * -3 + 7).cast(pl.Float32),
    "in another unit": (pl.col("late") / 1_000).cast(pl.Float32),
}


@pytest.mark.parametrize("copy", COPIES)
def test_a_copy_that_float32_rounds_is_refused(copy: str) -> None:
    """At a million, float32 has steps of 1/16, and labels with a spread of .4 correlate with their copies by .998."""
    frame = rows(2_000).with_columns(late=NEAR_A_MILLION).with_columns(outcome=COPIES[copy])
    assert frame.select(pl.corr("late", "outcome")).item() ** 2 < 1 - 1e-9
    with pytest.raises(LeakError) as refusal:
        refuse_leak(spec(task="regression", features={"outcome": {"type": "float"}}), frame)
    assert refusal.value.feature == "outcome"


def test_a_feature_that_is_close_to_a_number_is_no_copy() -> None:
    """One row in a hundred is off by a few steps of float32."""
    off = pl.when(pl.int_range(pl.len()) % 100 == 0).then(0.5).otherwise(0)
    frame = (
        rows(2_000).with_columns(late=NEAR_A_MILLION * 2).with_columns(outcome=(pl.col("late") + off).cast(pl.Float32))
    )
    assert frame.select(pl.corr("late", "outcome")).item() > 0.99
    refuse_leak(spec(task="regression", features={"outcome": {"type": "float"}}), frame)


@pytest.mark.parametrize(
    ("label", "noted"),
    [
        (pl.int_range(pl.len()) + 16_776_000.0, True),
        (-pl.int_range(pl.len()) - 3e9, True),
        (pl.int_range(pl.len()) + 16_000_000.0, False),
        # Each is a number of float32, however large.
        (pl.int_range(pl.len()) * 2.0**30, False),
        (pl.int_range(pl.len()) / 10, False),
    ],
    ids=["beyond 2^24", "below", "up to 2^24", "exact", "decimals"],
)
def test_labels_that_float32_rounds_by_a_whole_number_are_a_note(label: pl.Expr, *, noted: bool) -> None:
    described = spec(task="regression")
    found = list(notes(described, split(described, rows(2_000).with_columns(late=label))))
    assert [each.code for each in found] == ["rounded_labels"] * noted
    assert all("'late'" in each.message for each in found)


@pytest.mark.parametrize(
    ("label", "noted"),
    [
        (pl.lit(7.0), r" 7 in all "),
        (pl.when(AT % 200 == 0).then(1e6).otherwise(0.0), r"^99\.50% .* 0:"),
        (AT % 50 / 2, ""),
    ],
    ids=["one", "most", "many"],
)
def test_a_number_that_most_rows_have_is_a_note(label: pl.Expr, noted: str) -> None:
    described = spec(task="regression")
    found = list(notes(described, split(described, rows(2_000).with_columns(late=label))))
    assert [each.code for each in found] == ["same_label"] * bool(noted)
    assert all(re.search(noted, each.message) for each in found)


@pytest.mark.parametrize(("share", "needed"), [(0.5, 1), (0.8, 4), (0.9, 9), (0.95, 19), (0.99, 99), (0.999, 999)])
def test_an_interval_of_too_few_rows_is_a_note(share: float, needed: int) -> None:
    described = spec(task="regression", prediction={"interval": share})
    assert least_rows(share) == needed
    assert [note.code for note in calibration_notes(described, rows(2 * needed))] == []
    if needed > 1:
        (note,) = calibration_notes(described, rows(2 * needed - 2))
        assert note.code == "few_interval_rows"
        assert re.search(f"chosen on {needed - 1:,} rows, .* needs {needed:,}:", note.message)


@pytest.mark.parametrize(
    ("task", "prediction"),
    [("regression", {"interval": 0.8}), ("binary", {"cost": {"false_positive": 1, "false_negative": 2}})],
)
def test_a_holdout_that_cannot_be_divided_is_a_note(task: str, prediction: dict[str, Any]) -> None:
    described = spec(task=task, prediction=prediction)
    at_once = rows(100).with_columns(departure=START)
    assert [note.code for note in calibration_notes(described, at_once)] == ["undivided_holdout"]
    assert not list(calibration_notes(described, rows(100)))
    assert not list(calibration_notes(spec(task=task), at_once))


WAVE = (AT * 7919 % 1_999).cast(pl.Float32)
DECIDING = {
    "a threshold": (WAVE > 1_000, WAVE),
    "a copy with a wrong row": (WAVE > 1_000, ((WAVE > 1_000) ^ (AT == 700)).cast(pl.Float32)),
    "a refined copy": (WAVE % 12 > 5, WAVE % 12),
    "a rare class": (WAVE > 1_900, WAVE),
}
OTHERS = {
    "noise": (WAVE > 1_000, (AT * 104_729 % 1_997).cast(pl.Float32)),
    "a hint": (WAVE > 1_000, WAVE + (AT % 5) * 200),
    "mostly 0": (WAVE > 1_000, pl.when(AT % 10 == 0).then(WAVE).otherwise(0.0)),
    "a rare class of few rows": (WAVE % 50 == 7, WAVE % 50),
    "a constant": (WAVE > 1_000, pl.lit(1.0)),
}


@pytest.mark.parametrize("task", ["binary", "multiclass"])
@pytest.mark.parametrize("relation", [*DECIDING, *OTHERS])
def test_a_feature_that_alone_decides_the_class_is_noted(relation: str, task: str) -> None:
    label, feature = (DECIDING | OTHERS)[relation]
    late = label.cast(pl.Float64) if task == "binary" else pl.when(label).then(pl.lit("yes")).otherwise(pl.lit("no"))
    described = spec(task=task)
    frame = rows(2_000).with_columns(late=late, distance=feature.cast(pl.Float32))
    found = {note.code: note.feature for note in notes(described, split(described, frame))}
    assert found.get("determines_label") == ("distance" if relation in DECIDING else None)


def test_the_commonest_class_of_a_value_does_not_depend_on_the_order_of_the_rows() -> None:
    """Each value has two rows, and 40 values have one of each class."""
    values = np.arange(20_000) // 2
    label = (values >= 5_000).astype(np.int64)
    label[2 * np.random.default_rng(0).choice(10_000, 40, replace=False)] ^= 1
    rows_of = pl.DataFrame({"value": values.astype(float), "label": label})
    found = {undecided_rows(*rows_of.sample(fraction=1, shuffle=True, seed=seed)) for seed in range(10)}
    assert len(found) == 1


def test_three_classes_between_bounds_are_decided() -> None:
    label = pl.when(WAVE < 500).then(pl.lit("low")).when(WAVE < 1_500).then(pl.lit("mid")).otherwise(pl.lit("high"))
    described = spec(task="multiclass")
    frame = rows(2_000).with_columns(late=label, distance=WAVE)
    found = {note.code: note.feature for note in notes(described, split(described, frame))}
    assert found["determines_label"] == "distance"


def test_a_text_that_each_row_has_for_itself_decides_nothing() -> None:
    frame = rows(2_000).with_columns(late=(WAVE > 1_000).cast(pl.Float64), carrier=AT.cast(pl.String))
    assert "determines_label" not in codes(frame)
