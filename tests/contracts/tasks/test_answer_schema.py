"""Versions that give answers of the same form."""

from __future__ import annotations

import pytest
from rondo.contracts.tasks.answer_schema import AnswerSchema
from rondo.contracts.tasks.base import FittedTask, Interval

WIDE, NARROW = (Interval(coverage=0.9, half_width=width) for width in (9.0, 2.0))


def classes(labels: str) -> FittedTask:
    return FittedTask(task="multiclass", labels=tuple(labels))


def binary(*labels: str, numbers: bool = False, threshold: float = 0.5) -> FittedTask:
    return FittedTask(task="binary", labels=labels, numbers=numbers, threshold=threshold)


def number(interval: Interval | None = None) -> FittedTask:
    return FittedTask(task="regression", interval=interval)


@pytest.mark.parametrize(
    ("candidate", "champion", "facts", "names_champion"),
    [
        (classes("abc"), classes("ab"), ["labels", "'c'"], False),
        (classes("ab"), classes("abc"), ["labels", "'c'"], True),
        (classes("ba"), classes("ab"), ["labels", "order"], False),
        (classes("abcdefgh"), classes("a"), ["labels", "'b', 'c', 'd', 'e', 'f' and 2 more"], False),
        (binary("no", "yes"), binary("0", "1", numbers=True), ["labels", "0, 1"], True),
        (number(WIDE), number(), ["value, low, high", "1 value"], True),
        (number(), classes("ab"), ["value"], True),
    ],
)
def test_other_outputs_and_other_labels_are_another_answer(
    candidate: FittedTask,
    champion: FittedTask,
    facts: list[str],
    names_champion: bool,  # noqa: FBT001
) -> None:
    difference = AnswerSchema.of(candidate).difference(AnswerSchema.of(champion), 1)
    assert [fact for fact in facts if fact not in difference] == []
    assert ("version 1" in difference) == names_champion, difference


@pytest.mark.parametrize(
    ("candidate", "champion"),
    [
        (classes("ab"), classes("ab")),
        (number(WIDE), number(NARROW)),
        (binary("0", "1", numbers=True), binary("0", "1", numbers=True, threshold=0.1)),
    ],
)
def test_widths_and_thresholds_are_no_other_answer(candidate: FittedTask, champion: FittedTask) -> None:
    assert AnswerSchema.of(candidate).difference(AnswerSchema.of(champion), 1) == ""
