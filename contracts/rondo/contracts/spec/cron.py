"""Cron expressions of five fields, as far as a look at each number tells whether they can ever be due."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# Each field with the lowest and the highest number that it may have; the weekday 7 is Sunday, as is 0.
_FIELDS = {"minute": (0, 59), "hour": (0, 23), "day": (1, 31), "month": (1, 12), "weekday": (0, 7)}
_NUMBER = re.compile(r"(?<![\w/])\d+\b", re.ASCII)
_STEP = re.compile(r"/(\d+)", re.ASCII)


def faults(expression: str) -> Iterator[str]:
    """Yield what is wrong with the numbers of `0 3 * * 1`; names and dates such as the 30th of February are passed."""
    for text, (field, (low, high)) in zip(expression.split(), _FIELDS.items(), strict=True):
        for number in _NUMBER.findall(text):
            if not low <= int(number) <= high:
                yield f"{number} is no {field}: write {low} to {high}"
        if any(int(step) == 0 for step in _STEP.findall(text)):
            yield f"{text} has steps of 0: write 1 or more"
