"""Documentation of text fields that have a word of an open vocabulary."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from pydantic import Field

if TYPE_CHECKING:
    from enum import StrEnum


def open_to(vocabulary: type[StrEnum]) -> Any:
    """Return a field whose JSON Schema documents the known words, and the treatment of unknown words."""
    return Field(description=inspect.getdoc(vocabulary), examples=known(vocabulary))


def known(vocabulary: type[StrEnum]) -> list[str]:
    """Return the known words as plain texts."""
    return [word.value for word in vocabulary]
