"""Text types.

No text has NUL or a lone surrogate, because PostgreSQL's jsonb refuses the first and UTF-8 the second.
"""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_STORABLE_PATTERN = r"^[^\x00]*$"
REPLACEMENT = "\ufffd"
MAX_ID = 256  # characters


def unstorable(text: str) -> str | None:
    """Return the first character that can't be stored, as `U+0000`. None if there is none."""
    found = _UNSTORABLE.search(text)
    return f"U+{ord(found[0]):04X}" if found else None


def storable(text: str) -> str:
    """Return the text with U+FFFD in place of each character that can't be stored."""
    return _UNSTORABLE.sub(REPLACEMENT, text)


def checked(text: str) -> str:
    """Return the text, for pydantic.

    Raises:
        PydanticCustomError: the text has a character that can't be stored.

    """
    if character := unstorable(text):
        message = "the text holds {character}, which can't be stored: remove it"
        raise PydanticCustomError("unstorable_text", message, {"character": character})
    return text


_SCHEMA = Field(json_schema_extra={"pattern": _STORABLE_PATTERN})
# Names, ids and values. They are refused if they have a character that can't be stored.
Text = Annotated[str, AfterValidator(checked), _SCHEMA]
# Sentences for people, which may quote text from outside. Characters that can't be stored are replaced.
Message = Annotated[str, AfterValidator(storable), _SCHEMA]
Id = Annotated[str, Field(min_length=1, max_length=MAX_ID), AfterValidator(checked), _SCHEMA]
# Names become topic keys, table folders and metric labels, so they are limited to a safe alphabet.
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,62}$")]
Column = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,62}$")]
# `sha256:` and 64 hex digits: the name of an artifact or a spec, or of the content of a data version.
Digest = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]
