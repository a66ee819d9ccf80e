"""Texts of files as numbers."""

from __future__ import annotations

import pytest
from rondo.contracts.batch_files.values import parse_number, parse_whole

DIGITS = 5_000  # Python does not convert a text with this many digits to a whole number


@pytest.mark.parametrize("sign", ["", "-", "+"])
def test_a_text_of_many_digits_is_no_whole_number(sign: str) -> None:
    assert parse_whole(sign + "9" * DIGITS) is None
    assert parse_whole(f"{sign}{2**63 + 1}") is None
    assert parse_number(sign + "9" * DIGITS) == float(f"{sign}inf")


@pytest.mark.parametrize("number", [0, 7, -(2**63), 2**63 - 1])
def test_zeros_before_a_number_do_not_count(number: int) -> None:
    sign, digits = "-" if number < 0 else "", abs(number)
    assert parse_whole(f"{sign}{'0' * DIGITS}{digits}") == number
