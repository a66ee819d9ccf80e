"""Checks of a dataset spec that its classes don't make. Each problem has its path.

The checks take plain values, as `rondo.contracts.spec.cross_checks` does. A stored spec is not checked again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from rondo.contracts.spec.cross_checks import Path, Plain, Problem, limits_fit_the_type, list_at, mapping_at
from rondo.contracts.spec.support_checks import (
    limits_leave_no_value,
    taken_names,
    unknown_columns_problem,
    unknown_type,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


def dataset_problems(spec: Plain) -> Iterator[Problem]:
    """Yield the contradictions of a dataset spec, and values that can't work."""
    columns = mapping_at(spec, "columns")
    yield from _keys_differ(spec, columns)
    yield from _entity_is_text(spec, columns)
    for name, column in columns.items():
        if isinstance(column, Mapping):
            yield from unknown_type(("columns", name), column)
            yield from limits_fit_the_type(("columns", name), column)
            yield from limits_leave_no_value(("columns", name), column)
    yield from taken_names(_named(spec, columns))
    yield from unknown_columns_problem(("unknown_columns",), spec.get("unknown_columns"))


def _named(spec: Plain, columns: Plain) -> Iterator[tuple[object, Path]]:
    for index, name in enumerate(list_at(spec, "entity")):
        yield name, ("entity", index)
    yield spec.get("event_time"), ("event_time",)
    yield spec.get("known_at"), ("known_at",)
    for name in columns:
        yield name, ("columns", name)


def _keys_differ(spec: Plain, columns: Plain) -> Iterator[Problem]:
    entity, event_time = list_at(spec, "entity"), spec.get("event_time")
    for index, name in enumerate(entity):
        if name in entity[:index]:
            yield Problem(("entity", index), f"{name!r} is listed twice: leave one out")
    if isinstance(event_time, str) and event_time in entity:
        yield Problem(("event_time",), f"{event_time!r} is also of the entity: each needs a column of its own")
    if isinstance(event_time, str) and event_time in columns:
        yield Problem(("columns", event_time), f"{event_time!r} is the event time: take it out of `columns`")
    yield from _known_at_is_its_own(spec, (*entity, event_time), columns)


def _known_at_is_its_own(spec: Plain, keys: tuple[object, ...], columns: Plain) -> Iterator[Problem]:
    known_at = spec.get("known_at")
    if known_at is None:
        return
    if spec.get("known_after") is not None:
        message = "a row is known at a time of its own or some time after its event time: leave `known_after` out"
        yield Problem(("known_at",), message)
    if known_at in keys:
        yield Problem(("known_at",), f"{known_at!r} is also a key of the rows: each needs a column of its own")
    if isinstance(known_at, str) and known_at in columns:
        yield Problem(("columns", known_at), f"{known_at!r} is the time of `known_at`: take it out of `columns`")


def _entity_is_text(spec: Plain, columns: Plain) -> Iterator[Problem]:
    for name in list_at(spec, "entity"):
        column = columns.get(name) if isinstance(name, str) else None
        if not isinstance(column, Mapping):
            continue
        if column.get("type") in ("float", "int", "bool"):
            message = f"{name!r} is of the entity, which is stored as text: write `type: category`, or take it out"
            yield Problem(("columns", name, "type"), message)
        if column.get("optional") is True:
            message = f"{name!r} is of the entity, which every row needs: leave out `optional`"
            yield Problem(("columns", name, "optional"), message)
