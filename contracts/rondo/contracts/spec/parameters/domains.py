"""The ranges and lists of values from which a search takes a parameter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from rondo.contracts.spec.policy import Value


class Domain(NamedTuple):
    """The values of one parameter: from `low` to `high`, both included, or one of `choices` if it is not empty."""

    low: float = 0
    high: float = 0
    log: bool = False
    whole: bool = False
    choices: tuple[Value, ...] = ()

    def has(self, value: object) -> bool:
        if self.choices:
            return value in self.choices
        number = isinstance(value, int if self.whole else (int, float)) and not isinstance(value, bool)
        return number and self.low <= value <= self.high  # type: ignore[operator]


Space: TypeAlias = Mapping[str, Domain]


def span(low: float, high: float, *, log: bool = False) -> Domain:
    """Return the range between two bounds. It has whole numbers if `low` is one."""
    return Domain(low, high, log=log, whole=isinstance(low, int))
