"""Parts of dates: ISO 8601 is read as Python reads it, anything else is NaN, in training and graph alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper
from rondo.trainer.preparation.dates import OPSET, DateParts

from tests.trainer.preparation.graphs import run

if TYPE_CHECKING:
    from datetime import datetime

    from numpy.typing import NDArray

PARTS = ("year", "month", "day", "weekday", "hour")
NAN = float("nan")


def in_graph(text: pl.Series, parts: tuple[str, ...] = PARTS) -> NDArray[np.float32]:
    nodes = DateParts(parts).onnx_nodes("text", {part: f"part.{part}" for part in parts})
    joined = helper.make_node("Concat", [f"part.{part}" for part in parts], ["output"], axis=1)
    return run([*nodes, joined], {"text": text.to_numpy().astype(object).reshape(-1, 1)}, OPSET)


def read(texts: list[str], parts: tuple[str, ...] = PARTS) -> NDArray[np.float32]:
    """Return the parts of texts. Training and graph must agree on them, also for the first text alone."""
    numbers = DateParts(parts).apply(pl.Series(texts))
    assert numbers.dtype == np.float32
    np.testing.assert_array_equal(in_graph(pl.Series(texts), parts), numbers)
    if len(texts) > 1:
        np.testing.assert_array_equal(in_graph(pl.Series(texts[:1]), parts), numbers[:1])
    return numbers


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("2024-02-29", (2024, 2, 29, 4, NAN)),
        ("2024-02-29T13:05", (2024, 2, 29, 4, 13)),
        ("2024-02-29 00:05:59", (2024, 2, 29, 4, 0)),
        ("2024-06-30T23:05:59.123456789Z", (2024, 6, 30, 7, 23)),
        ("2024-07-01T01:02:03,5+05:30", (2024, 7, 1, 1, 1)),
        ("2024-07-01 01:02-0500", (2024, 7, 1, 1, 1)),
        ("2024-07-01 01:02-05", (2024, 7, 1, 1, 1)),
        ("0001-01-01", (1, 1, 1, 1, NAN)),
        ("9999-12-31T23:59:59", (9999, 12, 31, 5, 23)),
        ("2000-02-29", (2000, 2, 29, 2, NAN)),
    ],
)
def test_a_date_is_its_parts_as_they_are_written(text: str, parts: tuple[float, ...]) -> None:
    np.testing.assert_array_equal(read([text]), [parts])


@pytest.mark.medium
@pytest.mark.parametrize(
    "text",
    [
        "", " ", "tomorrow", "2024", "2024-02", "2024-2-3", "20240229", "2023-02-29", "1900-02-29", "2024-04-31",
        "2024-13-01", "2024-00-01", "2024-01-00", "2024-01-32", "0000-01-01", "0000-02-29", "10000-01-01",
        "-2024-01-01", " 2024-01-01", "2024-01-01 ", "2024-01-01\n", "2024-01-01T", "2024-01-01T24:00",
        "2024-01-01T12", "2024-01-01T12:60", "2024-01-01T12:00:60", "2024-01-01T12:00:00.", "2024-01-01Z",
        "2024-01-01T12:00 UTC", "2024-01-01t12:00z", "2024-01-01T12:00+24:00", "2024/01/01", "01-01-2024",
        "2024-W01-1", "\uff12024-01-01", "nan", "inf", "-", "--", ":", "T",
    ],
)  # fmt: skip
def test_anything_else_is_missing(text: str) -> None:
    assert np.isnan(read([text])).all()


@pytest.mark.medium
@given(st.lists(st.datetimes(), min_size=1, max_size=20), st.sampled_from("T "), st.sampled_from(["minutes", "auto"]))
def test_any_time_is_read_as_python_reads_it(times: list[datetime], separator: str, precision: str) -> None:
    texts = [time.isoformat(separator, precision) for time in times]
    parts = [(time.year, time.month, time.day, time.isoweekday(), time.hour) for time in times]
    np.testing.assert_array_equal(read(texts), np.array(parts, np.float32))


@pytest.mark.medium
@given(st.lists(st.text("0123456789-:TZ +.", max_size=20) | st.text(max_size=12), min_size=1, max_size=20))
def test_no_text_is_an_error(texts: list[str]) -> None:
    read([text.replace("\0", "") for text in texts])


@pytest.mark.parametrize("part", PARTS)
def test_a_part_comes_alone(part: str) -> None:
    expected = dict(zip(PARTS, (2024, 2, 29, 4, 13), strict=True))
    assert read(["2024-02-29T13:05"], (part,)).tolist() == [[expected[part]]]


def test_a_wrong_date_does_not_disturb_those_beside_it() -> None:
    numbers = read(["2024-02-30", "2024-02-29T13:05", "", "2024-02-29"], ("hour", "day"))
    np.testing.assert_array_equal(numbers, [[NAN, NAN], [13, 29], [NAN, NAN], [NAN, 29]])
