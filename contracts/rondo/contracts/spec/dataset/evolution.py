"""The changes of a dataset spec that are allowed. Stored batches must stay readable by the new contract.

An accepted row keeps the types that it was stored with, and the columns that identify it. Therefore types and keys may
not change, and limits may.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rondo.contracts.figures import figure
from rondo.contracts.spec.dataset.section import DatasetColumn
from rondo.contracts.spec.duration import format_duration
from rondo.contracts.spec.feature_types import reads
from rondo.contracts.vocabularies import SchemaChange

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rondo.contracts.spec.dataset.section import DatasetSpec

# These changes would give stored rows another type or another identity.
_REFUSED = (SchemaChange.RETYPED, SchemaChange.KEY_CHANGED)
_ENTITY = DatasetColumn(type="category")


@dataclass(frozen=True)
class Change:
    """A change of a column, or of a key of the spec.

    If `is_stricter`, batches that the previous spec accepts may be rejected now.
    """

    column: str
    kind: SchemaChange
    sentence: str
    is_stricter: bool = False

    @property
    def is_refused(self) -> bool:
        """True if stored rows forbid the change."""
        return self.kind in _REFUSED


def changes(history: Sequence[DatasetSpec], after: DatasetSpec) -> tuple[Change, ...]:
    """Return the changes since the last spec of `history`, which has all specs of the dataset, the oldest first.

    A column that returns is compared with the type that it had in an earlier spec. The first spec has no changes.
    """
    if not history:
        return ()
    before, known = history[-1], _last_columns(history)
    return (*_of_keys(history, after), *_of_columns(before, after), *_of_types(known, after))


def _last_columns(history: Sequence[DatasetSpec]) -> dict[str, tuple[str, DatasetColumn]]:
    """Return each column of all specs, as the latest spec with the column defines it, by its name in small letters."""
    return {name.lower(): (name, column) for spec in history for name, column in _columns(spec).items()}


def _columns(spec: DatasetSpec) -> dict[str, DatasetColumn]:
    """Return the columns, including those of the entity. These are categories, whether the spec lists them or not."""
    return dict.fromkeys(spec.entity, _ENTITY) | spec.columns


def _of_keys(history: Sequence[DatasetSpec], after: DatasetSpec) -> Iterator[Change]:
    before = history[-1]
    if before.entity != after.entity:
        yield _key("entity", ", ".join(before.entity), ", ".join(after.entity))
    if before.event_time != after.event_time:
        yield _key("event_time", before.event_time, after.event_time)
    zone = next((spec.time_zone for spec in reversed(history) if spec.time_zone is not None), after.time_zone)
    if zone is not None and after.time_zone not in (None, zone):
        yield _key("time_zone", zone, str(after.time_zone))
    elif before.time_zone is None and after.time_zone is not None:
        sentence = f"`time_zone` is new: event times without a zone are now taken to be of {after.time_zone}"
        yield Change("time_zone", SchemaChange.WIDENED, sentence)
    elif before.time_zone is not None and after.time_zone is None:
        sentence = "`time_zone` is gone: event times without a zone are now invalid"
        yield Change("time_zone", SchemaChange.NARROWED, sentence, is_stricter=True)
    yield from _of_known(history, after)


def _of_known(history: Sequence[DatasetSpec], after: DatasetSpec) -> Iterator[Change]:
    before = next((spec for spec in reversed(history) if _known(spec) is not None), None)
    if before is not None and _known(before) != _known(after):
        sentence = (
            f"{_known(before)} becomes {_known(after) or 'absent'}, and features were joined by the former: declare a "
            "dataset of another name"
        )
        yield Change("known_at" if before.known_at else "known_after", SchemaChange.KEY_CHANGED, sentence)
    elif before is None and after.known_at is not None:
        stored = _last_columns(history).get(after.known_at.lower())
        if stored is not None:
            sentence = f"`known_at` is {after.known_at}, which stored rows have as {stored[1].type}: use another name"
            yield Change(after.known_at, SchemaChange.RETYPED, sentence)
        sentence = (
            f"{after.known_at} is new, the time of `known_at`: a batch without it is rejected from now on, and rows so "
            "far count for no join: publish them again with it"
        )
        yield Change(after.known_at, SchemaChange.ADDED, sentence, is_stricter=True)
    elif before is None and after.known_after is not None:
        sentence = f"{_known(after)} is new: models may take features from the dataset"
        yield Change("known_after", SchemaChange.WIDENED, sentence)


def _known(spec: DatasetSpec) -> str | None:
    if spec.known_at is not None:
        return f"`known_at` {spec.known_at}"
    return None if spec.known_after is None else f"`known_after` {format_duration(spec.known_after)}"


def _key(key: str, before: str, after: str) -> Change:
    sentence = (
        f"`{key}` changes from {before} to {after}, and stored rows are identified by the former: declare a dataset of "
        "another name"
    )
    return Change(key, SchemaChange.KEY_CHANGED, sentence)


def _of_columns(before: DatasetSpec, after: DatasetSpec) -> Iterator[Change]:
    old, new = _columns(before), _columns(after)
    for name, column in new.items():
        if name in old:
            yield from _of_column(name, old[name], column)
        elif column.optional:
            yield Change(name, SchemaChange.ADDED, f"{name} is new and optional")
        else:
            sentence = f"{name} is new: a batch without it is rejected from now on"
            yield Change(name, SchemaChange.ADDED, sentence, is_stricter=True)
    for name in old:
        if name not in new:
            sentence = f"{name} is dropped: the table keeps its values, and new rows have none"
            yield Change(name, SchemaChange.DROPPED, sentence, is_stricter=True)


def _of_column(name: str, old: DatasetColumn, new: DatasetColumn) -> Iterator[Change]:
    if new.optional and not old.optional:
        yield Change(name, SchemaChange.MADE_OPTIONAL, f"{name} is optional now")
    if old.optional and not new.optional:
        sentence = f"{name} is required now: rows without it are quarantined from now on"
        yield Change(name, SchemaChange.MADE_REQUIRED, sentence, is_stricter=True)
    if not reads(old.type, new.type):
        return  # limits of different types can't be compared, and `_of_types` reports the type
    if _limits(old) == _limits(new):
        return
    allowed = (_allowed(old), _allowed(new))
    if _includes(new, old):
        yield Change(name, SchemaChange.WIDENED, f"{name} may be {allowed[1]} now, and was {allowed[0]}")
    else:
        sentence = f"{name} must be {allowed[1]} from now on, and was {allowed[0]}: other rows are quarantined"
        yield Change(name, SchemaChange.NARROWED, sentence, is_stricter=True)


def _of_types(known: dict[str, tuple[str, DatasetColumn]], after: DatasetSpec) -> Iterator[Change]:
    for name, column in _columns(after).items():
        stored, last = known.get(name.lower(), (name, column))
        if stored != name:
            yield Change(name, SchemaChange.RETYPED, other_capitals(name, stored))
            continue
        old = last.type
        if not reads(old, column.type):
            sentence = (
                f"{name} changes from {old} to {column.type}, and stored rows have the former: give the column another "
                "name, or declare a dataset of another name"
            )
            yield Change(name, SchemaChange.RETYPED, sentence)
        elif old != column.type:
            yield Change(name, SchemaChange.WIDENED, f"{name} may be any number now, and was a whole one")


def other_capitals(name: str, stored: str) -> str:
    """Return why a column can't be called `name`: names of a table's columns may not differ by capitals alone."""
    return f"{name} differs by capitals alone from {stored}, which stored rows have: write {stored}"


def _includes(wide: DatasetColumn, narrow: DatasetColumn) -> bool:
    """Return whether `wide` allows every value of `narrow`. The types are equal, or that of `narrow` is `int`."""
    if wide.min is not None and (narrow.min is None or narrow.min < wide.min):
        return False
    if wide.max is not None and (narrow.max is None or narrow.max > wide.max):
        return False
    return wide.values is None or (narrow.values is not None and set(narrow.values) <= set(wide.values))


def _limits(column: DatasetColumn) -> tuple[float | None, float | None, frozenset[str] | None]:
    return column.min, column.max, None if column.values is None else frozenset(column.values)


def _allowed(column: DatasetColumn) -> str:
    if column.values is not None:
        return f"one of {', '.join(sorted(column.values))}"
    low, high = (None if bound is None else figure(bound) for bound in (column.min, column.max))
    if low is not None and high is not None:
        return f"from {low} to {high}"
    if low is not None:
        return f"at least {low}"
    return f"at most {high}" if high is not None else f"any {column.type}"
