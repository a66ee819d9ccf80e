"""The sentence of each note on the rows of a training, which docs/errors.md has with what to do."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import polars as pl
import pytest
from rondo.trainer.dataset.data_checks import calibration_notes, notes
from rondo.trainer.dataset.split import split

from tests.trainer.builders import START, rows, spec

AT = pl.int_range(pl.len())
LATE = pl.col("departure") > START + timedelta(minutes=1_950)
INTERVAL, NUMBER = {"task": "regression", "prediction": {"interval": 0.99}}, {"task": "regression"}
COST = {"prediction": {"cost": {"false_positive": 1, "false_negative": 2}}}


def repeated(frame: pl.DataFrame) -> pl.DataFrame:
    return pl.concat(frame.head(500).with_columns(pl.col("departure") + timedelta(days=day)) for day in range(4))


# The code of the note, its feature, what is changed in the spec and in the rows, and parts of the sentence.
NOTES: dict[str, tuple[str, str | None, dict[str, Any], dict[str, pl.Expr], tuple[str, ...]]] = {
    "a number has one value": (
        "constant",
        "distance",
        {},
        {"distance": pl.lit(7.0)},
        ("'distance' is 7.0 in all training rows: it decides nothing",),
    ),
    "a text has one value": (
        "constant",
        "carrier",
        {},
        {"carrier": pl.lit("AA")},
        ("'carrier' is AA in all training rows: it decides nothing",),
    ),
    "a number has no values": (
        "no_values",
        "distance",
        {},
        {"distance": pl.lit(None, pl.Float32)},
        ("'distance' has no value in any training row: it decides nothing",),
    ),
    "a text has no values": (
        "no_values",
        "carrier",
        {},
        {"carrier": pl.lit(None, pl.String)},
        ("'carrier' has no value in any training row: it decides nothing",),
    ),
    "a category that only the holdout has": (
        "unseen_category",
        "carrier",
        {},
        {"carrier": pl.when(LATE).then(pl.lit("ZZ")).otherwise("carrier")},
        (
            "49 of 200 rows of the holdout have a 'carrier' that the training rows lack, such as 'ZZ'",
            "the other features decide them",
        ),
    ),
    "a rare class": (
        "rare_class",
        None,
        {},
        {"late": (AT % 200 == 0).cast(pl.Float64)},
        (
            "0.50% of the training rows (9) have the label 1",
            "judge the model by metrics that weigh classes, such as average_precision or balanced_accuracy",
        ),
    ),
    "a class that only the holdout has": (
        "unknown_class",
        None,
        {"task": "multiclass"},
        {"late": pl.when(LATE).then(pl.lit("oak")).when(AT % 2 == 0).then(pl.lit("ash")).otherwise(pl.lit("elm"))},
        (
            "49 of 200 rows of the holdout have a label that the training rows lack, such as 'oak'",
            "they count as wrong",
        ),
    ),
    "one number": (
        "same_label",
        None,
        NUMBER,
        {"late": pl.lit(7.0)},
        ("the label 'late' is 7 in all training rows: the model answers with that alone",),
    ),
    "mostly one number": (
        "same_label",
        None,
        NUMBER,
        {"late": pl.when(AT % 200 == 0).then(1e6).otherwise(0.0)},
        (
            "99.50% of the training rows have the label 0",
            "a model that answers with that alone has a small error, so judge by r2 as well",
        ),
    ),
    "a function of the label": (
        "determines_label",
        "distance",
        NUMBER,
        {"late": AT * 7919 % 499 + 1.0, "distance": (AT * 7919 % 499 + 1.0).log().cast(pl.Float32)},
        (
            "the feature 'distance' gives the label 'late' by itself in every row",
            "make sure that a request has it before the label is known, else take it out of `features`",
        ),
    ),
    "labels that float32 rounds": (
        "rounded_labels",
        None,
        NUMBER,
        {"late": AT + 16_776_000.0},
        ("which float32 rounds by up to 1", "let the label be the difference from a usual value, or a number in"),
    ),
    "labels of many digits": (
        "rounded_labels",
        None,
        NUMBER,
        {"late": (AT + 1) * 1e34 / 3},
        ("has values up to 6.67e+36, which float32 rounds by up to",),
    ),
    "a feature that decides the class": (
        "determines_label",
        "distance",
        {},
        {"late": (AT % 2).cast(pl.Float64), "distance": (AT % 2 + (AT == 700)).cast(pl.Float32)},
        ("the feature 'distance' gives the label 'late' by itself in all rows but 1: make sure",),
    ),
    "an interval of few rows": (
        "few_interval_rows",
        None,
        {**INTERVAL, "trainer": {"holdout": 0.05}},
        {"late": AT % 37 / 2},
        ("the width of the interval is chosen on 50 rows", "widen the holdout, or ask for a smaller share"),
    ),
    "a holdout of one time": (
        "undivided_holdout",
        None,
        COST,
        {"departure": pl.when(AT < 1_800).then("departure").otherwise(START + timedelta(days=9))},
        (
            "the holdout (200 rows) can't be divided by event time, so the rows on which `prediction.cost` is",
            "chosen evaluate the model, too, which makes it look better than it is; widen the holdout",
        ),
    ),
}


@pytest.mark.parametrize("case", NOTES)
def test_the_sentence_of_a_note(case: str) -> None:
    code, feature, changed, columns, parts = NOTES[case]
    described = spec(**changed)
    divided = split(described, rows(2_000).with_columns(**columns))
    found = [*notes(described, divided), *calibration_notes(described, divided.holdout)]
    (note,) = (each for each in found if each.code == code)
    assert note.feature == feature
    assert [part for part in parts if part not in note.message] == []


def test_the_sentence_of_a_note_on_repeated_rows() -> None:
    divided = split(spec(), repeated(rows(2_000)))
    (note,) = (each for each in notes(spec(), divided) if each.code == "repeated_rows")
    assert "of the training rows equal an earlier one in label and all features: if they are copies" in note.message
    assert "the metrics are surer than they should be" in note.message


def test_the_sentence_of_a_note_on_a_repeated_holdout() -> None:
    (note,) = (each for each in notes(spec(), split(spec(), repeated(rows(2_000)))) if each.code == "repeated_holdout")
    assert "200 of 200 rows of the holdout (100%) equal an earlier row in label and all features" in note.message
    assert "looks better than it is on new rows" in note.message
