"""Summarizes columns of Arrow tables: their kind, range and values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from rondo.client.spec_proposal.distinct_texts import DistinctTexts
from rondo.client.spec_proposal.times import TEXT_FORMS, TimeForm
from rondo.contracts.batch_files.times import parse_time
from rondo.contracts.batch_files.values import COMMA_NUMBER
from rondo.contracts.tasks.label_values import NUMBER

if TYPE_CHECKING:
    from datetime import datetime

    from rondo.client.spec_proposal.files import SourceFile

# A column of texts is a column of numbers or times if this share of its values is. The other values are errors in the
# data.
_MOST = 0.95
_NUMBER = f"^{NUMBER}$"
_INT = r"^[+-]?\d+$"
_NAN = r"(?i)^[+-]?nan$"
_BOOL = r"(?i)^(?:true|false)$"
_UNIT = r"(?:%|[$€£¥₹]|USD|EUR|GBP|CHF|JPY)"
_NUMBER_LIKE = (
    rf"(?i)^[(+\x{{2212}}-]? ?{_UNIT}? ?[+-]?\d+(?:[,.' \x{{a0}}\x{{202f}}]\d{{3}})*(?:[,.]\d+)?[-)]? ?{_UNIT}?$"
)
# Values with several units, such as "3 km" and "3 miles", can't be compared.
_WITH_UNIT = r"^[+-]?\d[\d.,]* [A-Za-zµ°][A-Za-zµ°/]{0,7}$"
_LEADING_ZERO = r"^0\d"


class Kind(StrEnum):
    """The kind of a column's values. OTHER is a list, bytes or a similar type, which a feature can't have."""

    EMPTY = "empty"
    BOOL = "bool"
    INT = "int"
    FLOAT = "float"
    TEXT = "text"
    TIME = "time"
    OTHER = "other"


@dataclass(frozen=True)
class ColumnSummary:
    """A column of a file.

    `values` are the most frequent values as they are written, with their counts. `odd` counts values of another kind,
    such as a text among numbers, and `odd_example` is one of them. `keeps_type` is true if the file has the type.
    """

    name: str
    kind: Kind
    rows: int
    missing: int = 0
    distinct: int = 0
    values: tuple[tuple[str, int], ...] = ()
    low: float | None = None
    high: float | None = None
    whole: bool = False
    odd: int = 0
    odd_example: str = ""
    time_form: TimeForm | None = None
    first: str = ""
    last: str = ""
    mean_words: float = 0
    mean_length: float = 0
    number_like: str = ""
    """A value of a text column whose values are numbers with a currency, a percent sign or groups of thousands."""
    blanks: str = ""
    """A text with blanks around it, which would be part of a category."""
    decimal_commas: bool = False
    thousands: str = ""
    """A number with a point and three digits, if all numbers with a point look so and semicolons separate columns."""
    digits: bool = False
    """True if a text column has numbers: with leading zeros, or in a file that keeps types."""
    keeps_type: bool = False
    type_name: str = ""

    @property
    def present(self) -> int:
        return self.rows - self.missing

    @property
    def unique(self) -> bool:
        """True if each value occurs once. With few rows this has little meaning."""
        return self.distinct == self.present > 0


def summarize(file: SourceFile) -> tuple[ColumnSummary, ...]:
    """Return the summaries of a file's columns, in the order of the file."""
    columns = zip(file.table.column_names, file.table.columns, strict=True)
    return tuple(_summary(name, column, file) for name, column in columns)


def _summary(name: str, column: pa.ChunkedArray, file: SourceFile) -> ColumnSummary:
    kind, types = column.type, pa.types
    basis: dict[str, Any] = {
        "name": name, "rows": len(column), "keeps_type": file.keeps_types, "type_name": str(kind)[:80],
    }  # fmt: skip
    if types.is_string(kind):
        text = pc.utf8_trim_whitespace(column)
        odd = column.filter(pc.not_equal(text, column))
        basis["blanks"] = odd[0].as_py()[:40] if len(odd) else ""
        column = pc.if_else(pc.equal(text, ""), None, text)
        if file.decimal_commas:
            numbers = pc.replace_substring_regex(column, COMMA_NUMBER, r"\1.\2")
            commas = column.filter(pc.not_equal(numbers, column))
            if len(commas) and DistinctTexts.of(numbers).share(_NUMBER) >= _MOST:
                basis |= {"decimal_commas": True}
                column = numbers
            basis["thousands"] = _thousands(DistinctTexts.of(column))
    if column.null_count == len(column):
        return ColumnSummary(kind=Kind.EMPTY, missing=len(column), **basis)
    for applies, summary in (
        (types.is_string, _of_texts), (types.is_boolean, _of_booleans), (types.is_integer, _of_ints),
        (types.is_floating, _of_floats), (types.is_decimal, _of_floats), (types.is_temporal, _of_times),
    ):  # fmt: skip
        if applies(kind):
            return summary(column, basis)
    return _of_others(column, basis)


def _thousands(texts: DistinctTexts) -> str:
    points = texts.only(r"^[+-]?\d+\.")
    grouped = points.only(r"^[+-]?[1-9]\d{0,2}\.\d{3}$")
    return str(grouped.values[0].as_py()) if grouped.total and grouped.total == points.total else ""


def _of_others(column: pa.ChunkedArray, basis: dict[str, Any]) -> ColumnSummary:
    return ColumnSummary(kind=Kind.OTHER, missing=column.null_count, **basis)


def _of_booleans(column: pa.ChunkedArray, basis: dict[str, Any]) -> ColumnSummary:
    found = _frequent(column.cast(pa.string()))
    return ColumnSummary(kind=Kind.BOOL, missing=column.null_count, **found, **basis)


def _of_ints(column: pa.ChunkedArray, basis: dict[str, Any]) -> ColumnSummary:
    bounds = _bounds(column.cast(pa.float64(), safe=False))
    found = _frequent(column.cast(pa.string()))
    return ColumnSummary(kind=Kind.INT, missing=column.null_count, whole=True, **bounds, **found, **basis)


def _of_floats(column: pa.ChunkedArray, basis: dict[str, Any]) -> ColumnSummary:
    numbers = column.cast(pa.float64())
    numbers = pc.if_else(pc.is_nan(numbers), None, numbers)
    if numbers.null_count == len(numbers):
        return ColumnSummary(kind=Kind.EMPTY, missing=len(numbers), **basis)
    finite = pc.drop_null(numbers.filter(pc.is_finite(numbers)))
    infinite = len(numbers) - numbers.null_count - len(finite)
    return ColumnSummary(
        kind=Kind.FLOAT,
        missing=numbers.null_count,
        whole=_all_whole(finite),
        odd=infinite,
        odd_example="inf" if infinite else "",
        **_bounds(finite),
        **_frequent(numbers.cast(pa.string())),
        **basis,
    )


def _of_times(column: pa.ChunkedArray, basis: dict[str, Any]) -> ColumnSummary:
    kind = column.type
    if not pa.types.is_timestamp(kind) and not pa.types.is_date(kind):  # a duration, or a time of day
        return _of_others(column, basis)
    form = TimeForm.DATE if pa.types.is_date(kind) else TimeForm.RFC_3339 if kind.tz else TimeForm.NO_ZONE
    bounds = pc.min_max(column.cast(pa.timestamp("s"), safe=False)).as_py()
    first, last = (f"{bounds[end]:%Y-%m-%dT%H:%M:%S}Z" for end in ("min", "max"))
    distinct = pc.count_distinct(column).as_py()
    found = {"time_form": form, "first": first, "last": last, "distinct": distinct, "missing": column.null_count}
    return ColumnSummary(kind=Kind.TIME, **found, **basis)


def _of_texts(column: pa.ChunkedArray, basis: dict[str, Any]) -> ColumnSummary:
    """Return the summary of a column of texts, whose kind follows from the distinct values."""
    texts = DistinctTexts.of(column)
    numbers = texts.share(_NUMBER) >= _MOST
    # A leading zero is part of an identifier such as a postal code.
    if numbers and not basis["keeps_type"] and not texts.matching(_LEADING_ZERO):
        return _of_written_numbers(texts, column.null_count, basis)
    if texts.matching(_BOOL) == texts.total:
        return ColumnSummary(kind=Kind.BOOL, missing=column.null_count, **_frequent(column), **basis)
    for form in TEXT_FORMS:
        if texts.share(form.value) >= _MOST:
            return _of_written_times(texts, form, column.null_count, basis)
    total = texts.total
    words = pc.add(pc.count_substring_regex(texts.values, r"\s+"), 1)
    return ColumnSummary(
        kind=Kind.TEXT,
        missing=column.null_count,
        mean_words=texts.weighed(words) / total,
        mean_length=texts.weighed(pc.utf8_length(texts.values)) / total,
        digits=numbers,
        number_like=_number_like(texts),
        **_frequent(column),
        **basis,
    )


def _number_like(texts: DistinctTexts) -> str:
    """Return a value with more than a number, if nearly all values are numbers or such values. Else ""."""
    like = texts.only(_NUMBER_LIKE)
    if texts.share(_NUMBER_LIKE) < _MOST:
        like = texts.only(_WITH_UNIT)
        units = pc.replace_substring_regex(like.values, r"^[^A-Za-zµ°]+", "").unique()
        if len(units) != 1 or texts.share(_WITH_UNIT) < _MOST:
            return ""
    more = like.where(pc.invert(like.matches(_NUMBER)))
    return str(more.values[0].as_py())[:40] if len(more.values) else ""


def _of_written_numbers(texts: DistinctTexts, missing: int, basis: dict[str, Any]) -> ColumnSummary:
    is_number = texts.matches(_NUMBER)
    written = texts.where(is_number)
    numbers = pc.replace_substring_regex(written.values, r"^\+", "").cast(pa.float64())
    finite = numbers.filter(pc.is_finite(numbers))
    nan = texts.matching(_NAN)
    infinite = written.where(pc.invert(pc.is_finite(numbers)))
    others = texts.where(pc.invert(pc.or_(is_number, texts.matches(_NAN))))
    strange = pa.concat_arrays([others.values, infinite.values])
    whole = texts.share(_INT) == 1 or texts.matching(_INT) == written.total
    return ColumnSummary(
        kind=Kind.INT if whole and not nan else Kind.FLOAT,  # ingestion does not accept NaN for a missing whole number
        missing=missing + nan,
        distinct=len(written.values),
        values=written.frequent(),
        whole=whole or _all_whole(finite),
        odd=others.total + infinite.total,
        odd_example=strange[0].as_py()[:40] if len(strange) else "",
        **_bounds(finite),
        **basis,
    )


def _of_written_times(texts: DistinctTexts, form: TimeForm, missing: int, basis: dict[str, Any]) -> ColumnSummary:
    zone = "UTC" if form.needs_zone else None
    read = [parse_time(text, zone) for text in texts.values.to_pylist()]
    # Times in other forms are counted by their form, because nothing parses them.
    valid = texts.matches(form.value) if form == TimeForm.OTHER else pa.array([time is not None for time in read])
    kept, strange = texts.where(valid), texts.where(pc.invert(valid))
    times = [time for time in read if time is not None]
    return ColumnSummary(
        kind=Kind.TIME,
        missing=missing,
        distinct=len(kept.values),
        values=kept.frequent(),
        odd=strange.total,
        odd_example=strange.values[0].as_py()[:40] if len(strange.values) else "",
        time_form=form,
        first=_written_time(min(times)) if times else "",
        last=_written_time(max(times)) if times else "",
        **basis,
    )


def _written_time(time: datetime) -> str:
    return f"{time:%Y-%m-%dT%H:%M:%S}Z"


def _frequent(texts: pa.ChunkedArray) -> dict[str, Any]:
    """Return the fields `distinct` and `values` of a summary."""
    found = DistinctTexts.of(texts)
    return {"distinct": len(found.values), "values": found.frequent()}


def _bounds(numbers: pa.ChunkedArray) -> dict[str, Any]:
    found = pc.min_max(numbers).as_py()
    return {"low": found["min"], "high": found["max"]}


def _all_whole(numbers: pa.ChunkedArray) -> bool:
    return bool(pc.all(pc.equal(numbers, pc.floor(numbers)), min_count=0).as_py())
