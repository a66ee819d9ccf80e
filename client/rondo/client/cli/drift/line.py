"""Lines of text for a terminal, and the names of columns in them."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# A slice of rows without a value in its column.
MISSING = "(missing)"
PERFORMANCE = "performance"


class Line(NamedTuple):
    """A line of text and its style on a terminal."""

    text: str
    style: str | None = None


def printable(text: str) -> str:
    """Return a text without characters that control a terminal, because names come from outside."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def column_name(column: Mapping[str, Any]) -> str:
    """Return the name of a column with evidence: a column, a slice of it, or all rows."""
    if column["column"] is None:
        return PERFORMANCE
    value = column.get("value")
    return printable(column["column"] if value is None else f"{column['column']} {value or MISSING}")


def heading(text: str) -> Iterator[Line]:
    yield Line("")
    yield Line(text, "bold")


def indented(text: str, width: int, indent: str = "    ") -> list[str]:
    return textwrap.wrap(text, width, initial_indent=indent, subsequent_indent=indent)
