"""Checks of `prepare` against the features: the columns, their types and the known words.

A new spec is checked at `rondo apply`. A stored spec is checked before each training, because it may have words of a
newer release.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

from rondo.contracts.spec.cross_checks import Plain, Problem, list_at, mapping_at
from rondo.contracts.spec.data import LARGEST_FLOAT32
from rondo.contracts.spec.preparation.expressions import ExpressionError, parse_expression, references
from rondo.contracts.spec.preparation.vocabularies import CategoryEncoding, DatePart, Imputation, Scaling
from rondo.contracts.vocabularies import known

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from enum import StrEnum


def date_column(feature: str, part: str) -> str:
    """Return the name of the column with a part of a date."""
    return f"{feature}_{part}"


@dataclass(frozen=True)
class _Columns:
    """The columns that a spec's preparation may name, by their type."""

    types: dict[str, str]
    dates: dict[str, tuple[str, ...]]
    derived: tuple[str, ...]
    dropped: tuple[str, ...]

    @property
    def categories(self) -> list[str]:
        return [name for name, kind in self.types.items() if kind == "category"]

    @property
    def parts(self) -> list[str]:
        """The columns with parts of dates."""
        dates = {name: parts for name, parts in self.dates.items() if self.types.get(name) == "category"}
        return [date_column(name, part) for name, parts in dates.items() for part in dict.fromkeys(parts)]

    @property
    def numbers(self) -> list[str]:
        """The numeric columns of the rows: features and parts of dates."""
        return [*(name for name, kind in self.types.items() if kind != "category"), *self.parts]


def preparation_problems(spec: Plain) -> Iterator[Problem]:
    """Yield the errors of `prepare`. `spec` has plain values, see `cross_checks`."""
    prepare, features = mapping_at(spec, "prepare"), mapping_at(spec, "features")
    if not prepare or not features:
        return
    types = {name: str(each.get("type")) for name, each in features.items() if isinstance(each, Mapping)}
    columns = _Columns(
        types,
        {name: tuple(map(str, list_at(mapping_at(prepare, "dates"), name))) for name in mapping_at(prepare, "dates")},
        tuple(mapping_at(prepare, "derive")),
        tuple(map(str, list_at(prepare, "drop"))),
    )
    yield from _dates(columns)
    yield from _derived(columns, mapping_at(prepare, "derive"), mapping_at(spec, "data"))
    yield from _numeric_steps(columns, prepare)
    yield from _encodings(columns, mapping_at(prepare, "encode"))
    yield from _drops(columns)


def _dates(columns: _Columns) -> Iterator[Problem]:
    for name, parts in columns.dates.items():
        path = ("prepare", "dates", name)
        if name not in columns.types:
            yield Problem(path, _unknown(name, columns.categories))
        elif columns.types[name] != "category":
            yield Problem(
                path, f"{name!r} is of type {columns.types[name]}: dates are ISO 8601 texts, of `type: category`"
            )
        for index, part in enumerate(parts):
            if problem := _unknown_word(part, DatePart):
                yield Problem((*path, index), problem)
            elif part in parts[:index]:
                yield Problem((*path, index), f"{part!r} is there twice: keep one")
            elif date_column(name, part) in columns.types:
                message = f"its column {date_column(name, part)!r} is also a feature: rename the feature"
                yield Problem((*path, index), message)


def _derived(columns: _Columns, derive: Plain, data: Plain) -> Iterator[Problem]:
    taken = {str(data[key]): f"`data.{key}`" for key in ("entity", "event_time", "label") if key in data}
    taken |= dict.fromkeys(columns.parts, "a part of a date") | dict.fromkeys(columns.types, "a feature")
    for name, text in derive.items():
        path = ("prepare", "derive", name)
        if name in taken:
            yield Problem(path, f"{name!r} is also {taken[name]}: give the derived column a name of its own")
        if not isinstance(text, str):
            continue
        try:
            used = list(dict.fromkeys(references(parse_expression(text))))
        except ExpressionError as error:
            yield Problem(path, str(error), " ")
            continue
        if not used:
            yield Problem(path, f"{text!r} is the same for every row: name a column in it")
        for column in used:
            if problem := _no_number(column, columns, derived=False):
                yield Problem(path, problem)


def _numeric_steps(columns: _Columns, prepare: Plain) -> Iterator[Problem]:
    for step, words in (("impute", Imputation), ("scale", Scaling)):
        for name, value in mapping_at(prepare, step).items():
            path = ("prepare", step, name)
            if problem := _no_number(name, columns, derived=True):
                yield Problem(path, problem)
            elif name in columns.dropped:
                yield Problem(path, f"{name!r} is dropped, and expressions take it as it is: leave it out of one")
            if isinstance(value, str):
                if problem := _unknown_word(value, words, " or write a number" if step == "impute" else ""):
                    yield Problem(path, problem)
            elif isinstance(value, int | float) and LARGEST_FLOAT32 < abs(value) < math.inf:
                yield Problem(path, f"{value:g} is more than float32 holds, and a model reads float32")


def _encodings(columns: _Columns, encode: Plain) -> Iterator[Problem]:
    for name, word in encode.items():
        path = ("prepare", "encode", name)
        if name not in columns.types:
            yield Problem(path, _unknown(name, columns.categories))
        elif (kind := columns.types[name]) != "category":
            yield Problem(path, f"{name!r} is of type {kind}, and this takes categories: leave it out")
        elif name in columns.dates:
            yield Problem(path, f"{name!r} is a date, whose text is not encoded: leave it out here or of `dates`")
        elif name in columns.dropped:
            yield Problem(path, f"{name!r} is dropped, so it is not encoded: leave it out of one")
        if isinstance(word, str) and (problem := _unknown_word(word, CategoryEncoding)):
            yield Problem(path, problem)


def _drops(columns: _Columns) -> Iterator[Problem]:
    there = [*columns.types, *columns.parts]
    for index, name in enumerate(columns.dropped):
        path = ("prepare", "drop", index)
        if name in columns.derived:
            yield Problem(path, f"{name!r} is a derived column: leave it out of `derive`")
        elif name in columns.dates:
            yield Problem(path, f"{name!r} is a date, whose text is not encoded: leave it out here")
        elif name in columns.dropped[:index]:
            yield Problem(path, f"{name!r} is there twice: keep one")
        elif name not in there:
            yield Problem(path, _unknown(name, there))
    if not columns.derived and not set(there) - set(columns.dropped) - set(columns.dates):
        yield Problem(("prepare", "drop"), "nothing is left for the estimator: keep at least one column")


def _no_number(name: str, columns: _Columns, *, derived: bool) -> str | None:
    there = [*columns.numbers, *(columns.derived if derived else ())]
    if name in there:
        return None
    if name in columns.types:
        what = "is a date: name one of its parts" if name in columns.dates else "is a category, and this takes numbers"
        return f"{name!r} {what}"
    if name in columns.derived:
        return f"{name!r} is derived itself: write its expression out"
    return _unknown(name, there)


def _unknown(name: str, there: Sequence[str]) -> str:
    close = get_close_matches(name, there, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(there)}" if there else "there is none"
    return f"{name!r} is not one of the columns that can stand here: {hint}"


def _unknown_word(word: str, words: type[StrEnum], more: str = "") -> str | None:
    if word in known(words):
        return None
    close = get_close_matches(word, known(words), n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"use {', '.join(known(words))}{more}"
    return f"{word!r} is unknown: {hint}"
