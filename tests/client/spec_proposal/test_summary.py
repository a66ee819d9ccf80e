"""The kind of a column is that of its values."""

from __future__ import annotations

import decimal
import math
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from rondo.client.spec_proposal.files import SourceFile
from rondo.client.spec_proposal.summary import ColumnSummary, Kind, summarize
from rondo.client.spec_proposal.times import TimeForm

if TYPE_CHECKING:
    from collections.abc import Sequence


def summary(values: Sequence[Any] | pa.Array, *, typed: bool = False) -> ColumnSummary:
    column = values if isinstance(values, pa.Array) else pa.array(values, None if typed else pa.string())
    (found,) = summarize(SourceFile("a", pa.table({"x": column}), typed))
    return found


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([None, None], Kind.EMPTY),
        (["1", "-2", "+3"], Kind.INT),
        (["1", "2.0", ".5", "1e3"], Kind.FLOAT),
        (["1", "NaN"], Kind.FLOAT),
        (["true", "False", None], Kind.BOOL),
        (["01234", "99999"], Kind.TEXT),
        (["1,5", "2,5"], Kind.TEXT),
        (["a", "1", "2"], Kind.TEXT),
        (["NA", "?"], Kind.TEXT),
        (["2013-01-01T10:00:00Z", "2013-01-01 10:00:00.5+01:00"], Kind.TIME),
    ],
)
def test_the_kind_of_texts(values: list[str | None], kind: Kind) -> None:
    assert summary(values).kind == kind


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (pa.nulls(2), Kind.EMPTY),
        ([math.nan, None], Kind.EMPTY),
        ([1, 2], Kind.INT),
        (pa.array([1, 2**63], pa.uint64()), Kind.INT),
        ([1.0, math.nan], Kind.FLOAT),
        ([decimal.Decimal("1.50")], Kind.FLOAT),
        ([True, None], Kind.BOOL),
        (["1", "2"], Kind.TEXT),
        (pa.array(["a", "b", "a"]).dictionary_encode().dictionary_decode(), Kind.TEXT),
        ([datetime(2013, 1, 1, tzinfo=UTC)], Kind.TIME),
        ([date(2013, 1, 1)], Kind.TIME),
        ([time(10)], Kind.OTHER),
        ([[1]], Kind.OTHER),
        ([{"a": 1}], Kind.OTHER),
        ([b"x"], Kind.OTHER),
    ],
)
def test_the_kind_of_a_column_with_a_type(values: Any, kind: Kind) -> None:
    assert summary(values, typed=True).kind == kind


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("2013-01-01T10:00:00Z", TimeForm.RFC_3339),
        ("2013-01-01 10:00:00.123+01:00", TimeForm.RFC_3339),
        ("2013-01-01T10:00:00", TimeForm.NO_ZONE),
        ("2013-01-01 10:00", TimeForm.NO_ZONE),
        ("2013-01-01", TimeForm.DATE),
        ("2013-01-01T10:00Z", TimeForm.RFC_3339),
        ("2013-01-01T10:00:61Z", TimeForm.OTHER),
        ("01.02.2013 10:00", TimeForm.OTHER),
        ("1/2/13 9:05 PM", TimeForm.OTHER),
        ("2013/01/02", TimeForm.OTHER),
        ("Tue, 01 Jan 2013 10:00:00 GMT", TimeForm.OTHER),
        ("January 5, 2013", TimeForm.OTHER),
        ("1 Jan 2013", TimeForm.OTHER),
    ],
)
def test_the_form_of_written_times(text: str, form: TimeForm) -> None:
    assert summary([text, None, text]).time_form == form


@pytest.mark.parametrize("text", ["1.2.3", "192.168.0.1", "12-34", "v1 2013", "10:00", "Mai 2013 war schön"])
def test_other_texts_are_no_times(text: str) -> None:
    assert summary([text]).kind != Kind.TIME


def test_a_number_has_its_range_and_frequent_values() -> None:
    found = summary(["3", "1", "3", None, "2"])
    assert (found.rows, found.missing, found.present, found.distinct) == (5, 1, 4, 3)
    assert (found.low, found.high, found.values[0]) == (1, 3, ("3", 2))
    assert not found.unique
    assert summary([1.5, math.nan, math.inf], typed=True).missing == 1
    assert summary([1.5, math.nan, math.inf], typed=True).odd == 1
    assert (summary([2.0, 3.0], typed=True).whole, summary([2.5], typed=True).whole) == (True, False)


def test_a_few_texts_among_numbers_or_times_are_errors_of_the_data() -> None:
    numbers = summary([*map(str, range(1, 50)), "abc"])
    assert (numbers.kind, numbers.odd, numbers.odd_example, numbers.distinct) == (Kind.INT, 1, "abc", 49)
    placeholders = summary([*map(str, range(1, 50)), *["NA"] * 40])
    assert (placeholders.kind, placeholders.odd, placeholders.odd_example) == (Kind.INT, 40, "NA")
    times = summary([*["2013-01-01T10:00:00Z"] * 30, "soon"])
    assert (times.kind, times.odd, times.odd_example, times.last) == (Kind.TIME, 1, "soon", "2013-01-01T10:00:00Z")


def test_texts_have_their_length_and_words() -> None:
    found = summary(["one two three", "four"])
    assert (found.mean_words, found.mean_length, found.unique) == (2, 8.5, True)


@pytest.mark.parametrize(("values", "typed"), [(["1", "2"], True), (["01", "02"], False)])
def test_numbers_that_count_as_texts_are_marked(values: list[str], typed: bool) -> None:  # noqa: FBT001
    assert summary(values, typed=typed).digits
