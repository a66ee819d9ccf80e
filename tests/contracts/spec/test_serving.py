"""The treatment of unknown features and fields, by the keys of this release and of earlier ones."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError
from rondo.contracts.spec.policy import Serving


@pytest.mark.parametrize(
    ("given", "word", "flag"),
    [
        ({}, "refuse", False),
        ({"ignore_unknown_fields": False}, "refuse", False),
        ({"ignore_unknown_fields": True}, "ignore", True),
        ({"unknown_fields": "refuse"}, "refuse", False),
        ({"unknown_fields": "warn"}, "warn", True),
        ({"unknown_fields": "ignore"}, "ignore", True),
        ({"unknown_fields": "from-the-future", "ignore_unknown_fields": True}, "from-the-future", True),
    ],
)
def test_the_word_and_the_flag_of_earlier_releases_agree(given: dict[str, Any], word: str, flag: bool) -> None:  # noqa: FBT001
    serving = Serving.model_validate(given)
    assert (serving.unknown_fields, serving.ignore_unknown_fields) == (word, flag)
    stored = serving.model_dump(mode="json")
    assert Serving.model_validate(stored) == serving
    assert ("unknown_fields" in stored) is (word not in {"refuse", "ignore"}), "other specs keep their digest"


@pytest.mark.parametrize(
    "given",
    [
        {"unknown_fields": "warn", "ignore_unknown_fields": False},
        {"unknown_fields": "ignore", "ignore_unknown_fields": False},
        {"unknown_fields": "refuse", "ignore_unknown_fields": True},
    ],
)
def test_a_word_and_a_flag_that_contradict_each_other_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Serving.model_validate(given)
