"""Durations as people write them."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rondo.contracts.spec.duration import format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("90s", timedelta(seconds=90)),
        ("15m", timedelta(minutes=15)),
        ("1.5h", timedelta(minutes=90)),
        ("14d", timedelta(days=14)),
        ("2w", timedelta(days=14)),
        ("0s", timedelta(0)),
        ("0.000001s", timedelta(microseconds=1)),
    ],
)
def test_reads(text: str, value: timedelta) -> None:
    assert parse_duration(text) == value


@pytest.mark.parametrize(
    "wrong", ["6 hours", "6", "h", "-1h", "1e3s", "1h30m", " 1h", "1h\n", "\u0661h", "", 6, 6.5, None, True]
)
def test_an_invalid_duration_gets_the_valid_form(wrong: object) -> None:
    with pytest.raises(ValueError, match=r"\d+s, \d+m, \d+h, \d+d or \d+w") as refusal:
        parse_duration(wrong)
    *_, forms = str(refusal.value).split("such as ")
    assert all(parse_duration(form) for form in re.split(", | or ", forms))


@pytest.mark.parametrize("wrong", ["5201w", "99999999999w", "9" * 400 + "s"])
def test_what_is_too_long_is_no_crash(wrong: str) -> None:
    with pytest.raises(ValueError, match="5200w"):
        parse_duration(wrong)


def test_a_negative_value_is_refused() -> None:
    with pytest.raises(ValueError, match="negative"):
        parse_duration(timedelta(seconds=-1))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (timedelta(days=7), "1w"),
        (timedelta(hours=36), "36h"),
        (timedelta(seconds=1234567.5), "1234567.5s"),
        (timedelta(0), "0s"),
    ],
)
def test_writes_the_largest_unit_that_divides_it(value: timedelta, text: str) -> None:
    assert format_duration(value) == text


@given(st.timedeltas(min_value=timedelta(0), max_value=timedelta(weeks=5200)))
def test_what_is_written_reads_back_to_the_microsecond(value: timedelta) -> None:
    assert parse_duration(format_duration(value)) == value
