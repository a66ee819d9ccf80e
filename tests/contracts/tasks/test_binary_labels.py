"""The values of a binary label."""

from __future__ import annotations

import re

import pytest
from rondo.contracts.tasks.binary import BinaryLabels


@pytest.mark.parametrize("value", [1, 1.0, True, "1", "true", " TRUE ", "1.0", "1e0"])
def test_one_is_written_in_several_ways(value: object) -> None:
    assert BinaryLabels().parse(value) == 1.0


@pytest.mark.parametrize("value", [0, 0.0, False, "0", "false", "False", "0.0"])
def test_zero_is_written_in_several_ways(value: object) -> None:
    assert BinaryLabels().parse(value) == 0.0


@pytest.mark.parametrize("value", [2, -1, 0.5, float("nan"), "", "UP", "1_0", "nan", None, [], {}])
def test_anything_else_is_no_label(value: object) -> None:
    assert BinaryLabels().parse(value) is None


def test_the_spec_may_name_two_texts() -> None:
    labels = BinaryLabels(positive="UP", negative="DOWN")
    assert [labels.parse(value) for value in ("UP", " DOWN ", "up", "1", 1, True, None)] == [
        1.0, 0.0, None, None, None, None, None,
    ]  # fmt: skip
    assert labels.expected == "'DOWN' or 'UP'"


def test_whole_numbers_match_the_texts_that_they_are_written_as() -> None:
    labels = BinaryLabels(positive="1", negative="-1")
    assert [labels.parse(value) for value in (1, -1, 1.0, -1.0, "-1", 0, 0.5, True)] == [
        1.0, 0.0, 1.0, 0.0, 0.0, None, None, None,
    ]  # fmt: skip


def test_zero_has_no_sign() -> None:
    assert repr(BinaryLabels().parse(-0.0)) == "0.0"


def test_a_whole_number_that_json_may_have_rounded_matches_no_text() -> None:
    assert BinaryLabels(positive=str(2**53), negative="0").parse(2**53) is None


def test_what_is_expected_names_the_keys_of_two_texts_where_the_spec_has_none() -> None:
    assert {"`data.positive`", "`data.negative`"} <= set(re.findall("`[a-z.]+`", BinaryLabels().expected))
