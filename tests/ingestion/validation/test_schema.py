"""The columns and types of a batch that fit the contract."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import TYPE_CHECKING

import polars as pl
import pytest
from rondo.ingestion.validation.arrow_columns import RawBatch
from rondo.ingestion.validation.contract import contract_of
from rondo.ingestion.validation.decision import AcceptedBatch, RejectedBatch, decide

from tests.ingestion.builders import NOW, rides, spec
from tests.ingestion.validation.builders import CONTRACT, accepted, refused

if TYPE_CHECKING:
    from rondo.contracts.batch_files.formats import FileFormat

DAY, MORNING = date(2013, 1, 31), datetime(2013, 1, 31, 10, 30)  # noqa: DTZ001 - the zone is in the types


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (
            rides(3).drop("zone"),
            "column 'zone' is missing, and 'tips' asks for it: add it, or make it `optional` in the spec",
        ),
        (
            rides(3).rename({"distance": "Distnace"}),
            (
                "column 'distance' is missing; 'Distnace' is not in the contract: rename it to 'distance', or correct"
                " the name in the spec of 'tips'"
            ),
        ),
        (
            rides(3).drop("tipped"),
            (
                "column 'tipped', the label, is missing, and 'tips' asks for it: add it, or correct the name in the"
                " spec of 'tips'"
            ),
        ),
        (
            rides(3).rename({"tipped": "tiped"}),
            (
                "column 'tipped', the label, is missing; 'tiped' is not in the contract: rename it to 'tipped', or"
                " correct the name in the spec of 'tips'"
            ),
        ),
        (
            rides(3).with_columns(pl.col("started").dt.replace_time_zone(None)),
            (
                "column 'started' is a time without a zone: send UTC or a type with a zone, or set `data.time_zone` in"
                " the spec"
            ),
        ),
        (
            rides(3, started=[True, False, True]),
            "column 'started' is Boolean, not a time: send times as 2013-01-01T10:00:00Z",
        ),
        (
            rides(3, distance=[[1.0], [2.0], [3.0]]),
            "column 'distance' is List(Float64), and the contract says float: send it with that type",
        ),
        (
            rides(3, zone=[1.5, 2.5, 3.5]),
            "column 'zone' is Float64, and the contract says text: send it with that type",
        ),
        (rides(0), "the batch is empty: it has 8 columns and no row; send at least one row"),
    ],
)
def test_a_batch_that_does_not_fit_is_rejected(frame: pl.DataFrame, reason: str) -> None:
    assert refused(frame).reasons == (reason,)


@pytest.mark.parametrize(
    ("column", "texts", "expected"),
    [
        ("distance", ["1.5", "2", "3"], "float"),
        ("stops", ["1", "2", "3"], "int"),
        ("night", ["true", "false", "true"], "bool"),
        ("tipped", ["1", "0", None], spec().labels.expected),
    ],
)
@pytest.mark.parametrize("file_format", ["Parquet", "an Arrow stream", "an Arrow file"])
def test_a_file_that_keeps_types_may_not_have_texts_for_numbers(
    column: str, texts: list[str | None], expected: str, file_format: FileFormat
) -> None:
    """A sender that writes `"42"` there has a mistake upstream, and may write `"42 "`, `"4,2"` or `"n/a"` tomorrow."""
    for values in (texts, pl.Series(texts, dtype=pl.Categorical)):
        assert refused(rides(3, **{column: values}), file_format).reasons == (
            (
                f"column {column!r} is text, and the contract says {expected}: "
                f"{file_format} keeps types, so send it with that type"
            ),
        )


def test_a_column_of_nulls_is_not_text() -> None:
    missing = pl.Series([None] * 3, dtype=pl.String)
    assert accepted(rides(3, rain=missing), "Parquet").rows["rain"].to_list() == [None] * 3


def test_a_time_may_be_text_in_every_format() -> None:
    """A text with a zone is unambiguous, and some writers have no type for such times."""
    assert accepted(rides(1, started=["2013-01-01T10:00:00Z"]), "Parquet").rows.height == 1


def test_texts_in_json_are_read_as_numbers_and_reported() -> None:
    """One text among numbers makes the reader convert all of them to texts, which is no reason to refuse the others."""
    decision = accepted(rides(3, distance=["1.5", "2", "3"]), "JSON Lines")
    assert decision.rows["distance"].to_list() == [1.5, 2.0, 3.0]
    [note] = decision.notes
    assert re.findall("'distance'|texts|float", note) == ["'distance'", "texts", "float"]


def test_csv_writes_numbers_as_text() -> None:
    decision = accepted(rides(3, distance=["1.5", "2", "3"]), "CSV")
    assert (decision.rows["distance"].to_list(), decision.notes) == ([1.5, 2.0, 3.0], ())


def test_a_long_type_is_shortened_in_the_reasons() -> None:
    nested = pl.Series([{f"field_{n}": 1 for n in range(10_000)}] * 3)
    [reason] = refused(rides(3, distance=nested)).reasons
    assert reason.startswith("column 'distance' is Struct(")
    assert re.search("…, .* float", reason)
    assert len(reason) < 200


def test_an_unknown_column_is_dropped_and_reported_with_the_nearest_name() -> None:
    decision = accepted(rides(3, mood=["good", "bad", "ugly"], Distance=[1, 2, 3]))
    assert decision.rows.columns == list(CONTRACT.names)
    assert [re.findall("'[a-zA-Z]+'", note) for note in decision.notes] == [["'mood'"], ["'Distance'", "'distance'"]]


def test_a_misspelt_optional_column_rejects_the_batch() -> None:
    frame = rides(3).rename({"rain": "Rain"})
    [reason] = refused(frame).reasons
    assert reason == (
        "the optional column 'rain' is missing; 'Rain' is not in the contract: rename it to 'rain', or set "
        "`data.unknown_columns: ignore` in the spec"
    )


@pytest.mark.parametrize(("unknown_columns", "expected"), [("ignore", AcceptedBatch), ("reject", RejectedBatch)])
def test_the_spec_rules_over_unknown_columns(unknown_columns: str, expected: type) -> None:
    strict = spec()
    data = strict.data.model_copy(update={"unknown_columns": unknown_columns})
    contract = contract_of("rides", [strict.model_copy(update={"data": data})])
    for frame in (rides(3).rename({"rain": "Rain"}), rides(3, mood=["good", "bad", "ugly"])):
        assert isinstance(decide(RawBatch(frame), "CSV", contract, NOW), expected)


def test_a_batch_of_many_unknown_columns_is_decided_in_time() -> None:
    frame = rides(3).with_columns(**{f"extra_{n}": pl.lit(n) for n in range(2_000)})
    assert len(accepted(frame).notes) == 2_000


def test_a_column_of_an_unsupported_type_rejects_the_batch_only_where_it_is_needed() -> None:
    frame = rides(3)
    decision = decide(RawBatch(frame, {"cost": "decimal256(50, 2)"}), "Parquet", CONTRACT, NOW)
    assert isinstance(decision, AcceptedBatch)
    assert decision.notes == ("column 'cost' is not in the contract and was dropped",)
    refusal = decide(RawBatch(frame.drop("distance"), {"distance": "decimal256(50, 2)"}), "Parquet", CONTRACT, NOW)
    assert isinstance(refusal, RejectedBatch)
    assert refusal.reasons == (
        "column 'distance' is decimal256(50, 2), and the contract says float: send it with that type",
    )


def test_an_optional_column_may_be_absent_and_its_nan_is_a_missing_value() -> None:
    absent = accepted(rides(3).drop("rain"))
    assert absent.rows["rain"].to_list() == [None, None, None]
    [note] = absent.notes
    assert "'rain' is absent" in note
    assert accepted(rides(3, rain=[None, None, None])).notes == ()
    assert accepted(rides(3, rain=[float("nan"), 1.0, None])).rows["rain"].to_list() == [None, 1.0, None]


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        (pl.Series([DAY, None, DAY]), ["2013-01-31", None, "2013-01-31"]),
        (pl.Series([MORNING] * 3), ["2013-01-31T10:30:00"] * 3),
        (pl.Series([MORNING] * 3, dtype=pl.Datetime("ns")), ["2013-01-31T10:30:00"] * 3),
        (pl.Series([MORNING] * 3).dt.replace_time_zone("UTC"), ["2013-01-31T10:30:00Z"] * 3),
        (pl.Series([MORNING] * 3).dt.replace_time_zone("America/New_York"), ["2013-01-31T15:30:00Z"] * 3),
    ],
    ids=["dates", "without a zone", "nanoseconds", "UTC", "another zone"],
)
def test_a_category_takes_dates_and_times_by_their_type(values: pl.Series, texts: list[str | None]) -> None:
    contract = contract_of("rides", [spec(booked={"type": "category", "optional": True})])
    decision = decide(RawBatch(rides(3).with_columns(booked=values)), "Parquet", contract, NOW)
    assert isinstance(decision, AcceptedBatch), decision
    assert decision.rows["booked"].to_list() == texts
