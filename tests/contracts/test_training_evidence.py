"""The summary of the evidence, which is the part of it in the event."""

from __future__ import annotations

from typing import Any

import pytest
from rondo.contracts.events.training import AnswerRule
from rondo.contracts.training_evidence import Evidence

from tests.support.unknown_words import example_of

INTERVAL = {"coverage": 0.8, "half_width": 38.0}


@pytest.mark.parametrize(
    ("task", "rule"),
    [
        ({"threshold": 0.5}, AnswerRule(threshold=0.5)),
        ({"threshold": 0.17, "chosen_on": 1_200}, AnswerRule(threshold=0.17, rows=1_200)),
        ({"interval": INTERVAL, "chosen_on": 600}, AnswerRule(**INTERVAL, rows=600)),
        ({"labels": ["ash", "elm"]}, None),
    ],
)
def test_the_summary_says_how_a_model_makes_its_answer(task: dict[str, Any], rule: AnswerRule | None) -> None:
    example = example_of(Evidence)
    example["profile"]["task"] = {"task": "any"} | task
    assert Evidence.model_validate(example).summary().answer_rule == rule
