"""What documents a text field that holds a word of an open vocabulary."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from pydantic import Field

if TYPE_CHECKING:
    from enum import StrEnum


def open_to(vocabulary: type[StrEnum]) -> Any:
    """Return what documents the known words of a text field in its JSON Schema, and what an unknown word means."""
    return Field(description=inspect.getdoc(vocabulary), examples=known(vocabulary))


def known(vocabulary: type[StrEnum]) -> list[str]:
    """Return the known words as plain texts."""
    return [word.value for word in vocabulary]
