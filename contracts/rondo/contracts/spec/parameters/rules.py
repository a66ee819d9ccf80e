"""The rules for the parameters of a training library: names, types and bounds.

The trainer sets all other parameters.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from rondo.contracts.tasks.registry import TASKS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rondo.contracts.spec.parameters.domains import Space

Value: TypeAlias = int | float | str | bool
ANY = float("inf")
_TYPES: dict[type, str] = {int: "a whole number", float: "a number", bool: "true or false"}


class Rule(NamedTuple):
    """The type of a parameter, and its lowest and highest sensible value, or the allowed words of a text.

    If `items` is set, the parameter is a list with items of that type, and `length` is the number of items.
    """

    kind: type[int | float | bool | str]
    low: float = 0
    high: float = ANY
    words: tuple[str, ...] = ()
    items: bool = False
    length: int | None = None


def misfit(value: object, *rules: Rule) -> str | None:
    """Return the error of a value that must follow one of `rules`, worded to follow the parameter's name in a message.

    None if the value may be used.
    """
    if any(_fits(value, rule) for rule in rules):
        return None
    of_type = [rule for rule in rules if rule.words == () and not rule.items and is_of(rule.kind, value)]
    shown = value if of_type else repr(list(value) if isinstance(value, tuple) else value)
    if len(rules) > 1:
        *others, last = (described(rule) for rule in rules)
        return f"is {shown}, and must be {', '.join(others)}, or {last}"
    return f"is {shown}, and must be {_bounds(of_type[0]) if of_type else _type(rules[0])}"


def is_of(kind: type, value: object) -> bool:
    """Return whether a value has a type. A whole number is also a number. True and false are neither."""
    if kind is bool or isinstance(value, bool):
        return kind is bool and isinstance(value, bool)
    if kind is str:
        return isinstance(value, str)
    return isinstance(value, int if kind is int else (int, float))


def described(rule: Rule) -> str:
    """Return the values that follow a rule as text."""
    if rule.words or rule.items or rule.kind is bool or (rule.low, rule.high) == (-ANY, ANY):
        return _type(rule)
    separator = " of" if rule.high == ANY else ""
    return f"{_type(rule)}{separator} {_bounds(rule)}"


def _fits(value: object, rule: Rule) -> bool:
    if rule.items:
        each = rule._replace(items=False)
        if not isinstance(value, list | tuple) or not value or len(value) != (rule.length or len(value)):
            return False
        return all(_fits(item, each) for item in value)
    if not is_of(rule.kind, value):
        return False
    return value in rule.words if isinstance(value, str) else isinstance(value, int | float) and _is_within(value, rule)


def _is_within(value: float, rule: Rule) -> bool:
    return rule.kind is bool or rule.low <= float(value) <= rule.high


def _type(rule: Rule) -> str:
    if rule.words:
        return f"one of {', '.join(rule.words)}" if len(rule.words) > 1 else rule.words[0]
    if rule.items:
        return f"a list{f' of {rule.length}' if rule.length else ''}, each {described(rule._replace(items=False))}"
    return _TYPES[rule.kind]


def _bounds(rule: Rule) -> str:
    low, high = _figure(float(rule.low)), _figure(float(rule.high))
    if rule.low == -ANY:
        return f"{high} or less"
    return f"{low} or more" if rule.high == ANY else f"from {low} to {high}"


def _figure(value: float) -> str:
    return f"{value:.0f}" if value.is_integer() else f"{value:g}"


def _of_one_probability() -> list[str]:
    return [name for name, task in TASKS.items() if task.target == "probability"]


@dataclass(frozen=True)
class Library:
    """The parameters of a library. `aliases` has all of them, each with its aliases.

    `settable` has the parameters that a spec may set. `decided` has those that the trainer sets, each with the part of
    the spec that determines it. Both use the names of this project, which may be aliases. `elsewhere` has parameters of
    the library's scikit-learn interface alone. Parameters in `of_one_probability` apply to two classes only. `search`
    is the space of a search whose spec names none. `distributions` are the packages that may provide the library, the
    usual one first.
    """

    name: str
    aliases: Mapping[str, tuple[str, ...]]
    settable: Mapping[str, Rule]
    decided: Mapping[str, str]
    elsewhere: Mapping[str, str] = field(default_factory=dict)
    of_one_probability: frozenset[str] = frozenset()
    search: Space = field(default_factory=dict)
    distributions: tuple[str, ...] = ()

    @cached_property
    def names(self) -> dict[str, str]:
        """All names of the parameters that a spec may set, each with the name that this project uses."""
        return self._by_every_name(self.settable)

    def other_names(self, name: str) -> list[str]:
        return [other for other, used in self._by_every_name({name: None}).items() if other != used]

    def faults(self, task: str, params: Mapping[str, Value]) -> Iterator[tuple[str, str]]:
        """Yield each parameter that can't be used for a task, and its error, worded to follow the parameter's name."""
        seen: dict[str, str] = {}
        for name, value in params.items():
            if name not in self.names:
                yield name, self._unusable(name)
            elif (first := seen.setdefault(self.names[name], name)) != name:
                yield name, f"is the same parameter as `{first}`: keep one of the two"
            elif self.names[name] in self.of_one_probability and task not in (of := _of_one_probability()):
                yield name, f"is for `task: {' or '.join(of)}`, and this is {task}: leave it out"
            elif problem := misfit(value, self.settable[self.names[name]]):
                yield name, problem

    def _unusable(self, name: str) -> str:
        if name in self._decided:
            return f"is set by the trainer: {self.decided[self._decided[name]]}"
        if name in self.elsewhere:
            return f"is not a parameter of a training here: {self.elsewhere[name]}"
        known = f"those that can be set are {', '.join(self.settable)}"
        if name in self._all:
            return f"is a parameter of {self.name} that can't be set here; {known}"
        close = get_close_matches(name, self.settable, n=1) or get_close_matches(name, self.names, n=1)
        return f"is not a parameter of {self.name}{f': did you mean `{close[0]}`?' if close else f'; {known}'}"

    @cached_property
    def _decided(self) -> dict[str, str]:
        return self._by_every_name(self.decided)

    @cached_property
    def _all(self) -> set[str]:
        return {name for parameter, others in self.aliases.items() for name in (parameter, *others)}

    def _by_every_name(self, names: Mapping[str, object]) -> dict[str, str]:
        """Return this project's name of each parameter, by its name and each of its aliases."""
        own = {name: parameter for parameter, others in self.aliases.items() for name in (parameter, *others)}
        return {alias: name for name in names for alias in (own[name], *self.aliases[own[name]])}
