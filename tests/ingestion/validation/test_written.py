"""Ingestion, which reads columns, and clients, which read single values, read the same value from a file."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rondo.client.cli.bulk import rows
from rondo.client.errors import RefusedError
from rondo.client.spec_proposal import files
from rondo.contracts.batch_files import csv_file
from rondo.contracts.batch_files.times import EPOCHS, parse_time, written_date, zone_names
from rondo.ingestion.validation.arrow_columns import from_arrow
from rondo.ingestion.validation.casting import cast, without_missing
from rondo.ingestion.validation.contract import Column
from rondo.ingestion.validation.file_formats import read
from rondo.ingestion.validation.times import time

if TYPE_CHECKING:
    from pathlib import Path

    from rondo.contracts.batch_files.formats import FileFormat

DIGITS = st.from_regex(r"[+-]?[0-9]{0,20}([.,][0-9]{0,3})?([eE][+-]?[0-9]{1,3})?", fullmatch=True)
WORDS = st.sampled_from(
    ["nan", "-INF", "Infinity", "true", "FALSE", "yes", "NA", "1_000", "\uff11", "0x10", " 7 ", "1.234,5"]
)
DATES = st.from_regex(r"(19|20)\d\d-[01]\d-[0-3]\d", fullmatch=True)
CLOCKS = st.from_regex(r"([Tt ][0-2]\d:[0-6]\d(:[0-6]\d(\.\d{1,9})?)?)?", fullmatch=True)
OFFSETS = st.sampled_from(["", "Z", "z", "+00:00", "-05:30", "+0130", " +01:00", "+24:00", "+1:00", "UTC"])
TIMES = st.one_of(
    st.tuples(DATES, CLOCKS, OFFSETS).map("".join),
    st.from_regex(r"\d{8,20}(\.\d{1,3})?", fullmatch=True),
    st.sampled_from(["", "1/2/2013", "02.01.2013", "20130102", "2013-W01-1", "201301021504", "20130102T150405Z"]),
)
ZONES = st.sampled_from([None, "UTC", "Europe/Berlin", "America/New_York"])
# The hours that the clocks of Berlin skip and repeat.
SKIPPED, REPEATED = "2013-03-31 02:30", "2013-10-27T02:30:00"


def of_column(column: Column, values: list[Any], *, commas: bool = False) -> list[Any]:
    frame = pl.DataFrame({column.name: values}, schema={column.name: pl.String}, strict=False)
    found = frame.select(without_missing(column, pl.String(), decimal_commas=commas))
    return found.select(cast(column, pl.String(), pl.col(column.name))).to_series().to_list()


# What the parser of polars reads beyond RFC 3339.
LAX = [
    "2013-01-31T23:59:60Z", "2013-01-31T1:05:00Z", "2013-1-31T10:00:00Z", "+2013-01-31T10:00:00Z",
    "13-01-31T10:00:00Z", "2013-01-31T10:00:00 Z", "2013-01-31T10:00:00  +01:00", "2013-01-31T10:00:00.0123456789Z",
]  # fmt: skip


@pytest.mark.medium
@given(st.lists(TIMES, min_size=1, max_size=8), ZONES)
@example(LAX, "Europe/Berlin")
@example([SKIPPED, REPEATED, "2013-03-31 03:30", "2013-02-30", "2013-01-01"], "Europe/Berlin")
@example(["2013-01-02 15:04", "2013-01-02 15:04Z"], None)
def test_a_time_is_read_alike(texts: list[str], zone: str | None) -> None:
    read_by_column = of_column(Column("at", "time", zone=zone), texts)
    assert read_by_column == [parse_time(text, zone) for text in texts]


def test_polars_knows_every_zone_that_a_spec_may_name() -> None:
    clock = pl.Series([datetime(2013, 1, 2, 15, 4)])  # noqa: DTZ001
    assert {clock.dt.replace_time_zone(name).dtype for name in zone_names()} == {
        pl.Datetime("us", name) for name in zone_names()
    }


@pytest.mark.parametrize("text", LAX)
def test_what_is_not_rfc_3339_is_no_time(text: str) -> None:
    assert of_column(Column("at", "time", zone="UTC"), [text, "2013-01-31T10:00:00Z"])[0] is None
    assert parse_time(text, "UTC") is None


@given(st.lists(st.floats(1e8, 6e18) | st.integers(10**8, 6 * 10**18), min_size=1, max_size=8))
def test_numbers_since_1970_are_read_alike(numbers: list[float]) -> None:
    for dtype, values in ((pl.Int64(), [int(n) for n in numbers]), (pl.Float64(), [float(n) for n in numbers])):
        frame = pl.DataFrame({"at": values}, schema={"at": dtype})
        found = frame.select(time(pl.col("at"), dtype, None)).to_series().to_list()
        assert found == [parse_time(value, None) for value in values]


def test_one_moment_in_every_unit_since_1970() -> None:
    moment = datetime(2013, 1, 2, 15, 4, tzinfo=UTC)
    assert {parse_time(str(round(moment.timestamp() * 1e6 / epoch.unit)), None) for epoch in EPOCHS} == {moment}
    # Dates without signs, the serial numbers of Excel, and years are no such numbers.
    assert {parse_time(text, None) for text in ("20130102", "201301021504", "41276", "2013")} == {None}


@given(st.lists(DIGITS | WORDS, min_size=1, max_size=8), st.sampled_from(["float", "int", "bool"]), st.booleans())
def test_a_number_is_read_alike(texts: list[str], kind: Any, commas: bool) -> None:  # noqa: FBT001
    source = files.SourceFile("a.csv", None, keeps_types=False, decimal_commas=commas)
    published = of_column(Column("x", kind), texts, commas=commas)
    for text, value in zip(texts, published, strict=True):
        try:
            asked = rows.value_of("x", text or None, kind, source)
        except RefusedError:
            # Ingestion has an infinite number to say so, and quarantines it.
            assert value is None or value in (float("inf"), float("-inf"))
            continue
        assert asked == (None if isinstance(value, float) and value != value else value)  # noqa: PLR0124 - NaN


CONTENTS: dict[str, tuple[bytes, list[tuple[str | None, ...]]]] = {
    "a tab": (b"a\tb\n1\t2,5\n", [("1", "2,5")]),
    "a semicolon": (b"a;b\n1;2,5\n", [("1", "2,5")]),
    "a name with a comma": (b"price, EUR;b\n1;2\n3;4\n", [("1", "2"), ("3", "4")]),
    "sep=": (b"sep=|\r\na|b,c\r\n1|2\r\n", [("1", "2")]),
    "a mark": (b"\xef\xbb\xbfa,b\n1,2\n", [("1", "2")]),
    "UTF-16": ("a,ö\n1,ü\n".encode("utf-16"), [("1", "ü")]),
    "UTF-32": ("a,ö\r1,ü\r".encode("utf-32"), [("1", "ü")]),
    "Windows": (b'a,b\r\n1,"2\r\n3"\r\n', [("1", "2\r\n3")]),
    "an old Mac": (b"a,b\r1,2\r3,4\r", [("1", "2"), ("3", "4")]),
    "separators at the end": (b"a,b,,\n1,2,,\n3,4,,\n", [("1", "2"), ("3", "4")]),
    "an index": (b",a\n0,x\n1,y\n", [("0", "x"), ("1", "y")]),
    "quotes in the header": (b'"a ""1""","b\nc"\n1,2\n', [("1", "2")]),
    "blanks": (b"\n \n a , b \n\n 1 ,2\n,\n \t\n\x1a", [(" 1 ", "2")]),
    "a long text": (b"a,b\n1," + b"x" * 3_000_000 + b"\n", [("1", "x" * 3_000_000)]),
}


@pytest.mark.medium
@pytest.mark.parametrize("kind", CONTENTS)
def test_a_csv_file_is_read_alike(kind: str, tmp_path: Path) -> None:
    content, expected = CONTENTS[kind]
    (tmp_path / "a.csv").write_bytes(content)
    published, proposed = read(tmp_path / "a.csv", "CSV"), files.read(tmp_path / "a.csv")
    assert published.frame.rows() == expected
    assert [tuple(row.values()) for row in proposed.table.to_pylist()] == expected
    assert published.frame.columns == proposed.table.column_names
    assert published.decimal_commas == proposed.decimal_commas == (kind in ("a semicolon", "a name with a comma"))


@pytest.mark.parametrize("kind", ["UTF-16", "a mark", "an old Mac"])
def test_json_lines_are_read_alike(kind: str, tmp_path: Path) -> None:
    encoding = {"UTF-16": "utf-16", "a mark": "utf-8-sig"}.get(kind, "utf-8")
    lines = '{"a":"ü"}\n{"a":"b"}\n'.replace("\n", "\r" if kind == "an old Mac" else "\n")
    (tmp_path / "a.jsonl").write_bytes(lines.encode(encoding))
    file_format: FileFormat = "JSON Lines"
    assert read(tmp_path / "a.jsonl", file_format).frame["a"].to_list() == ["ü", "b"]
    assert files.read(tmp_path / "a.jsonl").table["a"].to_pylist() == ["ü", "b"]


def test_the_first_rows_are_those_of_all_rows() -> None:
    content = b"a,b\n" + b"".join(b"%d,%d\n" % (n, n * n) for n in range(100))
    assert csv_file.read(io.BytesIO(content), 7).table == csv_file.read(io.BytesIO(content)).table.slice(0, 7)
    assert from_arrow(csv_file.read(io.BytesIO(content)).table).frame.height == 100


MOMENTS = st.datetimes(datetime(1000, 1, 1), datetime(9998, 12, 31))  # noqa: DTZ001 - the zone is drawn


@given(st.lists(MOMENTS, min_size=1, max_size=5), st.sampled_from([None, "UTC"]), st.sampled_from(["ms", "us"]))
@example([datetime(2013, 1, 31, 10, 0, 0, 120_000)], "UTC", "us")  # noqa: DTZ001 - as above
def test_times_of_a_category_are_written_alike_in_columns_and_in_requests(
    moments: list[datetime], zone: str | None, unit: Any
) -> None:
    column, dtype = Column("x", "category"), pl.Datetime(unit, zone)
    values = pl.Series("x", moments).cast(pl.Datetime(unit)).dt.replace_time_zone(zone)
    published = values.to_frame().select(cast(column, dtype, pl.col("x"))).to_series().to_list()
    source = files.SourceFile("a.parquet", values.to_frame().to_arrow(), keeps_types=True)
    assert published == [rows.value_of("x", each, "category", source) for each in values.to_list()]
    days = values.dt.date()
    assert days.to_frame().select(cast(column, pl.Date(), pl.col("x"))).to_series().to_list() == [
        rows.value_of("x", each, "category", source) for each in days.to_list()
    ]


def test_a_time_of_a_category_is_an_iso_8601_text() -> None:
    at = datetime(2013, 1, 31, 10, 0, tzinfo=UTC)
    abroad = at.astimezone(timezone(timedelta(hours=5, minutes=30)))
    written = (at, abroad, at.replace(tzinfo=None), at.date(), at.replace(microsecond=5))
    assert [written_date(each) for each in written] == [
        "2013-01-31T10:00:00Z", "2013-01-31T10:00:00Z", "2013-01-31T10:00:00", "2013-01-31",
        "2013-01-31T10:00:00.000005Z",
    ]  # fmt: skip
