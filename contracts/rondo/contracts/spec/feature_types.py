"""Columns whose type is unknown to this release. A spec in an event of a later release may have them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rondo.contracts.vocabularies import FeatureType

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rondo.contracts.spec.data import TypedColumn

_KNOWN = frozenset(FeatureType)
_MOST_CHARACTERS = 60


def is_known(word: str) -> bool:
    """Return whether a type is one of `FeatureType`."""
    return word in _KNOWN


def unknown_types(columns: Mapping[str, TypedColumn]) -> dict[str, str]:
    """Return the type of each column whose type is unknown. A long word is cut off."""
    return {name: column.type[:_MOST_CHARACTERS] for name, column in columns.items() if not is_known(column.type)}


def reads(stored: str, wanted: str) -> bool:
    """Return whether a column of the type `wanted` can take values of the type `stored`.

    A whole number is a number. No other type becomes another.
    """
    return stored == wanted or (stored, wanted) == (FeatureType.INT, FeatureType.FLOAT)


def unknown_type_sentence(name: str, word: str, reader: str) -> str:
    """Return why `reader` can't use a column, and what to do."""
    return f"{name} has the type {word!r}, which this release of {reader} does not know: upgrade {reader}"


def unknown_types_sentence(columns: Mapping[str, TypedColumn], reader: str) -> str | None:
    """Return why `reader` can't use the columns, and what to do. None if it knows all of their types.

    The sentence names the first of the columns with unknown types.
    """
    for name, word in unknown_types(columns).items():
        return unknown_type_sentence(name, word, reader)
    return None
