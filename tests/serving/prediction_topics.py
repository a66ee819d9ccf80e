"""Functions with which the tests of the whole service send and read on the topics of predictions."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from collections.abc import Callable

MADE, FAILED = "predictions.made", "predictions.failed"


def request(number: int) -> bytes:
    return b'{"id":"r%d","model":"delay","features":{"distance":%d,"night":false}}' % (number, number)


def at_least(count: int) -> Callable[[list[Any]], bool]:
    return lambda found: len(found) >= count


def answered(messages: list[Any]) -> Counter[str]:
    return Counter(orjson.loads(m.value())["id"] for m in messages)


def once(numbers: range) -> Counter[str]:
    return Counter(f"r{n}" for n in numbers)
