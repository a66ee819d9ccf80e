"""The rows of a batch that are quarantined, and the conversion of values."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from rondo.ingestion.validation.arrow_columns import RawBatch
from rondo.ingestion.validation.contract import contract_of
from rondo.ingestion.validation.decision import AcceptedBatch, decide

from tests.ingestion.builders import NOW, START, rides, spec
from tests.ingestion.validation.builders import DUPLICATE, accepted, changed

if TYPE_CHECKING:
    from rondo.contracts.batch_files.formats import FileFormat


@pytest.mark.medium
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
        (changed("tipped", 2), f"tipped: not {spec().labels.expected}"),
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


def test_a_row_with_several_faults_names_them_all() -> None:
    frame = changed("distance", -1.0).with_columns(zone=pl.Series(["west", *["north"] * 9]))
    decision = accepted(frame)
    [reason] = decision.quarantined["reason"]
    assert [part.partition(": ")[0] for part in reason.split("; ")] == ["zone", "distance"]
    assert re.findall("north, south|minimum 0", reason) == ["north, south", "minimum 0"]
    assert decision.quality.quarantined == 1


def test_of_rows_with_one_key_the_first_valid_one_is_kept() -> None:
    ride, started = ["a", "a", "a", *[f"r{n}" for n in range(7)]], [START] * 10
    frame = rides(10, ride=ride, started=started, distance=[-1.0, 2.0, 3.0, *[1.0] * 7])
    decision = accepted(frame)
    assert decision.rows["distance"].to_list()[0] == 2.0
    below, twice = decision.quarantined["reason"]
    assert (below.partition(": ")[0], twice.partition(", ")[0]) == ("distance", "ride: duplicate")


def test_an_entity_may_occur_at_several_times() -> None:
    frame = rides(3, ride=["a"] * 3)
    assert accepted(frame).rows.height == 3


@pytest.mark.medium
@pytest.mark.parametrize("kind", ["CSV", "JSON Lines", "Parquet"])
def test_an_empty_text_is_a_missing_value(kind: FileFormat) -> None:
    for column in ("ride", "zone", "started"):
        values = ["", *rides(9)["started"].dt.to_string("iso:strict")] if column == "started" else ["", *["south"] * 9]
        [(reason, rows)] = accepted(rides(10, **{column: values}), kind).quality.reasons.items()
        assert (reason.startswith(f"{column}: missing"), rows) == (True, 1)
        assert ("`optional`" in reason) == (column == "zone"), "a key can't be optional"
    texts = rides(3).with_columns(rain=pl.Series(["", " ", None], dtype=pl.String))
    assert accepted(texts, kind).rows["rain"].to_list() == [None, None, None]


@pytest.mark.parametrize(
    "values",
    [[True, False, True], ["true", "False", " TRUE"], ["1", "0", "1"], [1, 0, 1], [1.0, 0.0, 1.0]],
)
def test_labels_are_zero_and_one_or_true_and_false(values: list[Any]) -> None:
    assert accepted(rides(3, tipped=values)).rows["tipped"].to_list() == [1.0, 0.0, 1.0]


@pytest.mark.medium
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


def test_old_times_are_normal_and_a_clock_may_be_a_day_ahead() -> None:
    times = [datetime(1900, 1, 1, tzinfo=UTC), NOW + timedelta(days=1)]
    assert accepted(rides(2, started=times)).quality.accepted == 2


def test_text_numbers_categories_and_booleans_are_cast_without_loss() -> None:
    as_text = rides(10).with_columns(
        pl.all().exclude("started").cast(pl.String), pl.col("started").dt.to_string("iso:strict")
    )
    assert accepted(as_text).rows.equals(accepted(rides(10)).rows)
    zones = rides(10).with_columns(pl.col("zone").cast(pl.Categorical), pl.col("stops").cast(pl.Float32))
    assert accepted(zones).rows.equals(accepted(rides(10)).rows)
