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
    ("candidate", "champion", "difference"),
    [
        (classes("abc"), classes("ab"), "its labels differ: it alone has 'c'"),
        (classes("ab"), classes("abc"), "its labels differ: version 1 alone has 'c'"),
        (classes("ba"), classes("ab"), "its labels differ: their order is another"),
        (classes("abcdefgh"), classes("a"), "its labels differ: it alone has 'b', 'c', 'd', 'e', 'f' and 2 more"),
        (binary("no", "yes"), binary("0", "1", numbers=True), "version 1 alone has 0, 1"),
        (number(WIDE), number(), "it answers value, low, high, and version 1 value"),
        (number(), classes("ab"), "it answers value, and version 1 "),
    ],
)
def test_other_outputs_and_other_labels_are_another_answer(
    candidate: FittedTask, champion: FittedTask, difference: str
) -> None:
    assert difference in AnswerSchema.of(candidate).difference(AnswerSchema.of(champion), 1)


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
