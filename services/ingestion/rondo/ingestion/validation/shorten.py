"""Shortens foreign text for a message."""

from __future__ import annotations

_MAX_TEXT = 80
_MAX_NAMES = 20


def excerpt(text: str) -> str:
    """Return the first 80 characters of a text, followed by an ellipsis if it is longer."""
    return text if len(text) <= _MAX_TEXT else f"{text[:_MAX_TEXT]}…"


def names(known: list[str]) -> str:
    """Return the first 20 names, and the number of further ones."""
    more = [f"and {len(known) - _MAX_NAMES:,} more"] if len(known) > _MAX_NAMES else []
    return ", ".join([*known[:_MAX_NAMES], *more])
