"""How much of an event the data's own texts may take: an event has at most 1 MiB, whatever the data."""

from __future__ import annotations

import hashlib
import json

# Of one text in JSON. Names and codes are shorter; what is longer is mostly free text, and told by its beginning.
MAX_BYTES = 66
_BEGINNING = 10


def json_bytes(text: str) -> int:
    """Return the bytes that a text takes in an event; a control character takes six."""
    return len(json.dumps(text, ensure_ascii=False).encode())


def shortened(text: str) -> str:
    """Return a text of at most `MAX_BYTES` in JSON: itself, or a name that no other long text has."""
    if json_bytes(text) <= MAX_BYTES:
        return text
    beginning = "".join(character if character.isprintable() else " " for character in text[:_BEGINNING])
    return f"{beginning}… {hashlib.sha256(text.encode()).hexdigest()[:8]}"
