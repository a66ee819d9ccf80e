"""The decision about a batch: pure values."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rondo.ingestion.validation.arrow_columns import RawBatch
from rondo.ingestion.validation.contract import contract_of
from rondo.ingestion.validation.decision import AcceptedBatch, RejectedBatch, decide

from tests.ingestion.builders import NOW, START, rides, spec

if TYPE_CHECKING:
    from rondo.contracts.batch_files.formats import FileFormat

CONTRACT = contract_of("rides", [spec()])
DUPLICATE = "ride: duplicate, an earlier row of this batch has the same ride and started"


def accepted(frame: pl.DataFrame, file_format: FileFormat = "CSV") -> AcceptedBatch:
    decision = decide(RawBatch(frame), file_format, CONTRACT, NOW)
    assert isinstance(decision, AcceptedBatch), decision
    return decision


def refused(frame: pl.DataFrame, file_format: FileFormat = "CSV") -> RejectedBatch:
    decision = decide(RawBatch(frame), file_format, CONTRACT, NOW)
    assert isinstance(decision, RejectedBatch)
    return decision


def test_valid_rows_are_all_accepted() -> None:
    decision = accepted(rides(10))
    assert decision.rows.columns == ["ride", "started", "zone", "distance", "stops", "night", "rain", "tipped"]
    assert (decision.quality.accepted, decision.quality.quarantined, decision.quality.reasons) == (10, 0, {})
    assert decision.event_time_from == datetime(2013, 1, 1, tzinfo=UTC)
    assert decision.event_time_to == datetime(2013, 1, 1, 0, 9, tzinfo=UTC)
    distance = decision.quality.columns["distance"]
    assert (distance.missing, distance.distinct, distance.low, distance.high) == (0, 10, 0.0, 9.0)
    assert decision.quality.columns["rain"].missing == 2


def changed(column: str, value: Any) -> pl.DataFrame:
    """Return ten rows of which the first has another value, in a column whose type can hold it."""
    frame = rides(10)
    values = [value, *frame[column].to_list()[1:]]
    return frame.with_columns(pl.Series(column, values, strict=False))


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (changed("distance", None), "distance: missing, send a value, or make it `optional` in the spec"),
        (changed("distance", float("nan")), "distance: NaN, send a number, or make it `optional` in the spec"),
        (changed("distance", float("inf")), "distance: infinite, send a finite number"),
        (changed("distance", float("-inf")), "distance: infinite, send a finite number"),
        (changed("distance", 1e39), "distance: more than float32 holds, send a smaller number"),
        (changed("distance", -1.0), "distance: below the minimum 0"),
        (changed("distance", 1001.0), "distance: above the maximum 1,000"),
        (changed("zone", "west"), "zone: not an allowed value, send one of: north, south"),
        (changed("zone", None), "zone: missing, send a value, or make it `optional` in the spec"),
        (changed("tipped", None), "tipped: label missing, send the row when it is known"),
        (changed("tipped", 2), "tipped: not 0 or 1, or true or false"),
        (changed("ride", "a\x00b"), "ride: holds a NUL character, which can't be stored: remove it"),
        (changed("ride", None), "ride: missing, every row needs one"),
        (
            rides(
                10,
                ride=["r0", *[f"r{n}" for n in range(9)]],
                started=[START, START, *[START + timedelta(minutes=n) for n in range(1, 9)]],
            ),
            DUPLICATE,
        ),
        (changed("started", None), "started: missing, every row needs one"),
        (
            changed("started", NOW + timedelta(days=1, seconds=1)),
            "started: more than a day ahead of now, send when it happened, such as 2013-01-01T10:00:00Z",
        ),
        (
            changed("started", datetime(1899, 12, 31, 23, 59, 59, tzinfo=UTC)),
            "started: before the year 1900, send when it happened, such as 2013-01-01T10:00:00Z",
        ),
        (rides(10, stops=[1.5, *[2.0] * 9]), "stops: not a whole number"),
        (rides(10, night=["maybe", *["true", "0"] * 4, "FALSE"]), "night: not true or false"),
        (rides(10, distance=["far", *["1.5"] * 9]), "distance: not a number"),
        (
            rides(10, started=["2013-01-01T10:00:00", *["2013-01-01T10:00:00+01:00"] * 9]),
            "started: a time without a zone, write it as 2013-01-01T10:00:00Z, or set `data.time_zone` in the spec",
        ),
        (
            rides(10, started=["yesterday", *["2013-01-01 10:00:00.25Z"] * 9]),
            "started: not a time, write it as 2013-01-01T10:00:00Z",
        ),
    ],
)
def test_a_bad_row_is_quarantined_with_its_reason(frame: pl.DataFrame, reason: str) -> None:
    decision = accepted(frame)
    assert decision.quality.reasons == {reason: 1}
    assert decision.quarantined["reason"].to_list() == [reason]
    assert decision.rows.height == 9
    assert decision.quality.accepted == 9


BERLIN = contract_of("rides", [spec(data={"time_zone": "Europe/Berlin"})])


def test_times_without_a_zone_are_those_of_the_zone_of_the_spec() -> None:
    texts = ["2013-03-31 02:30", "2013-03-31", *[f"2013-07-01T10:00:{n:02}" for n in range(8)]]
    decision = decide(RawBatch(rides(10, started=texts)), "CSV", BERLIN, NOW)
    assert isinstance(decision, AcceptedBatch)
    assert decision.rows["started"].to_list()[:2] == [
        datetime(2013, 3, 30, 23, tzinfo=UTC), datetime(2013, 7, 1, 8, tzinfo=UTC),
    ]  # fmt: skip
    (reason,) = decision.quality.reasons
    example = "2013-01-01T10:00:00Z"
    assert reason == (
        "started: no time in Europe/Berlin, whose clocks skip or repeat it, or no date: write it with its offset, as "
        f"{example}"
    )


@pytest.mark.parametrize("dtype", [pl.Datetime("us"), pl.Datetime("ns"), pl.Date, pl.Int64, pl.Float64])
def test_times_of_a_type_without_a_zone(dtype: Any) -> None:
    frame = rides(3, started=[1_372_636_800 + n for n in range(3)])
    if dtype not in (pl.Int64, pl.Float64):
        frame = frame.with_columns(pl.from_epoch("started", "s").cast(dtype).alias("started"))
    decision = decide(RawBatch(frame), "Parquet", BERLIN, NOW)
    assert isinstance(decision, AcceptedBatch)
    is_number = dtype in (pl.Int64, pl.Float64)
    assert decision.event_time_from == datetime(2013, 7, 1, 0 if is_number else 22, tzinfo=UTC) - timedelta(
        days=0 if is_number else 1
    )


def test_decimal_commas_are_read_where_semicolons_separate_and_the_report_says_so() -> None:
    frame = rides(10, distance=["1,5", "2.5", "-0,25e1", *["7"] * 7], zone=["north"] * 10)
    without = contract_of("rides", [spec(distance={"type": "float"})])
    decision = decide(RawBatch(frame, decimal_commas=True), "CSV", without, NOW)
    assert isinstance(decision, AcceptedBatch)
    assert decision.rows["distance"].to_list()[:4] == [1.5, 2.5, -2.5, 7.0]
    assert "column 'distance' has decimal commas: 1,5 was read as 1.5" in decision.notes
    refused = decide(RawBatch(frame), "CSV", without, NOW)
    assert isinstance(refused, AcceptedBatch)
    assert refused.quality.reasons == {"distance: not a number": 2}


def test_a_quarantined_row_is_kept_as_it_was_sent() -> None:
    decision = accepted(changed("distance", float("nan")).with_columns(extra=pl.lit("kept here")))
    assert decision.quarantined["row"].to_list() == [0]
    assert '"distance":"NaN"' in decision.quarantined["content"][0]
    assert '"extra":"kept here"' in decision.quarantined["content"][0]


def test_a_row_with_several_faults_names_them_all() -> None:
    frame = changed("distance", -1.0).with_columns(zone=pl.Series(["west", *["north"] * 9]))
    decision = accepted(frame)
    [reason] = decision.quarantined["reason"]
    assert [part.partition(": ")[0] for part in reason.split("; ")] == ["zone", "distance"]
    assert re.findall("north, south|minimum 0", reason) == ["north, south", "minimum 0"]
    assert decision.quality.quarantined == 1


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (
            rides(3).drop("zone"),
            "column 'zone' is missing, and 'tips' asks for it: add it, or make it `optional` in the spec",
        ),
        (
            rides(3).rename({"distance": "Distnace"}),
            "column 'distance' is missing; 'Distnace' is not in the contract: rename it to 'distance'",
        ),
        (rides(3).drop("tipped"), "column 'tipped' is missing, and 'tips' asks for it: add it"),
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
        ("tipped", ["1", "0", None], "0 or 1, or true or false"),
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
    """With its zone it says which moment is meant, and some writers have no type for that."""
    assert accepted(rides(1, started=["2013-01-01T10:00:00Z"]), "Parquet").rows.height == 1


def test_texts_in_json_are_read_as_numbers_and_reported() -> None:
    """One text among numbers makes texts of all of them when they are read: no reason to refuse the others."""
    decision = accepted(rides(3, distance=["1.5", "2", "3"]), "JSON Lines")
    assert decision.rows["distance"].to_list() == [1.5, 2.0, 3.0]
    [note] = decision.notes
    assert re.findall("'distance'|texts|float", note) == ["'distance'", "texts", "float"]


def test_csv_writes_numbers_as_text() -> None:
    decision = accepted(rides(3, distance=["1.5", "2", "3"]), "CSV")
    assert (decision.rows["distance"].to_list(), decision.notes) == ([1.5, 2.0, 3.0], ())


def test_too_many_bad_rows_reject_the_batch_with_the_reasons() -> None:
    decision = refused(rides(10, distance=[-1.0, -2.0, -3.0, *[1.0] * 7]))
    share, distance = decision.reasons
    assert re.findall(r"\d[\d.]*%?|\(data.*\)", share) == ["3", "10", "30.0%", "20.0%", "(data.max_bad_share)"]
    assert re.fullmatch("distance: .* minimum 0: 3 rows, .* row 1 .* -1.0", distance)
    assert decision.quality is not None
    assert (decision.quality.accepted, decision.quality.quarantined) == (0, 10)


def test_a_long_value_is_shortened_in_the_reasons() -> None:
    decision = refused(rides(10, distance=["x" * 2_000_000, "y", "z", *["1"] * 7]))
    assert re.fullmatch("distance: .*: 3 rows, .* row 1 .*'x{80}…'", decision.reasons[1])


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


def test_an_entity_may_occur_at_several_times() -> None:
    frame = rides(3, ride=["a"] * 3)
    assert accepted(frame).rows.height == 3


def test_of_rows_with_one_key_the_first_valid_one_is_kept() -> None:
    ride, started = ["a", "a", "a", *[f"r{n}" for n in range(7)]], [START] * 10
    frame = rides(10, ride=ride, started=started, distance=[-1.0, 2.0, 3.0, *[1.0] * 7])
    decision = accepted(frame)
    assert decision.rows["distance"].to_list()[0] == 2.0
    below, twice = decision.quarantined["reason"]
    assert (below.partition(": ")[0], twice) == ("distance", DUPLICATE)


@pytest.mark.parametrize("kind", ["CSV", "JSON Lines", "Parquet"])
def test_an_empty_text_is_a_missing_value(kind: FileFormat) -> None:
    rows = {
        "ride": "ride: missing, every row needs one",
        "zone": "zone: missing, send a value, or make it `optional` in the spec",
        "started": "started: missing, every row needs one",
    }
    for column, reason in rows.items():
        values = ["", *rides(9)["started"].dt.to_string("iso:strict")] if column == "started" else ["", *["south"] * 9]
        assert accepted(rides(10, **{column: values}), kind).quality.reasons == {reason: 1}
    texts = rides(3).with_columns(rain=pl.Series(["", " ", None], dtype=pl.String))
    assert accepted(texts, kind).rows["rain"].to_list() == [None, None, None]


@pytest.mark.parametrize(
    "values",
    [[True, False, True], ["true", "False", " TRUE"], ["1", "0", "1"], [1, 0, 1], [1.0, 0.0, 1.0]],
)
def test_labels_are_zero_and_one_or_true_and_false(values: list[Any]) -> None:
    assert accepted(rides(3, tipped=values)).rows["tipped"].to_list() == [1.0, 0.0, 1.0]


@pytest.mark.parametrize("kind", ["CSV", "Parquet"])
@pytest.mark.parametrize(
    ("positive", "negative", "values"),
    [
        ("UP", "DOWN", ["UP", "DOWN", "UP "]),
        ("1", "-1", [1, -1, 1]),
        ("1", "-1", ["1", "-1", "1"]),
        ("false", "true", [False, True, False]),
    ],
)
def test_labels_may_be_two_texts(kind: FileFormat, positive: str, negative: str, values: list[Any]) -> None:
    plain = spec()
    data = plain.data.model_copy(update={"positive": positive, "negative": negative})
    contract = contract_of("rides", [plain.model_copy(update={"data": data})])
    decision = decide(RawBatch(rides(3, tipped=values)), kind, contract, NOW)
    assert isinstance(decision, AcceptedBatch)
    assert decision.rows["tipped"].to_list() == [1.0, 0.0, 1.0]
    wrong = decide(RawBatch(rides(10, tipped=["SIDEWAYS", *[positive] * 9])), kind, contract, NOW)
    assert isinstance(wrong, AcceptedBatch)
    assert wrong.quality.reasons == {f"tipped: not {negative!r} or {positive!r}": 1}


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


def test_old_times_are_normal_and_a_clock_may_be_a_day_ahead() -> None:
    times = [datetime(1900, 1, 1, tzinfo=UTC), NOW + timedelta(days=1)]
    assert accepted(rides(2, started=times)).quality.accepted == 2


def test_an_optional_column_may_be_absent_and_its_nan_is_a_missing_value() -> None:
    absent = accepted(rides(3).drop("rain"))
    assert absent.rows["rain"].to_list() == [None, None, None]
    [note] = absent.notes
    assert "'rain' is absent" in note
    assert accepted(rides(3, rain=[None, None, None])).notes == ()
    assert accepted(rides(3, rain=[float("nan"), 1.0, None])).rows["rain"].to_list() == [None, 1.0, None]


def test_text_numbers_categories_and_booleans_are_cast_without_loss() -> None:
    as_text = rides(10).with_columns(
        pl.all().exclude("started").cast(pl.String), pl.col("started").dt.to_string("iso:strict")
    )
    assert accepted(as_text).rows.equals(accepted(rides(10)).rows)
    zones = rides(10).with_columns(pl.col("zone").cast(pl.Categorical), pl.col("stops").cast(pl.Float32))
    assert accepted(zones).rows.equals(accepted(rides(10)).rows)


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
