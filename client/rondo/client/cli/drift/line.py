"""A line of text for a terminal."""

from __future__ import annotations

from typing import NamedTuple


class Line(NamedTuple):
    """A line of text and its style on a terminal."""

    text: str
    style: str | None = None


def printable(text: str) -> str:
    """Return a text without characters that control a terminal, because names come from outside."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)
