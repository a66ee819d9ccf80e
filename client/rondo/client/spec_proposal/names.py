"""Converts texts to names that a spec allows, and splits the name of a column into words."""

from __future__ import annotations

import re
import unicodedata

_LONGEST = 63
_LETTERS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue", "ß": "ss", "ø": "o"})
_COLUMN = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
# A month or a day in the name of a file belongs to this batch, and not to the following batches.
_DATE_AT_END = re.compile(r"(?:[-_.]?\d+)+$")


def is_column(name: str) -> bool:
    return _COLUMN.fullmatch(name) is not None


def column_name(text: str) -> str:
    """Return a name that a spec allows for a column: `Groesse_cm` for `Größe (cm)`."""
    name = re.sub(r"[^A-Za-z0-9]+", "_", _ascii(text)).strip("_") or "column"
    return (f"_{name}" if name[0].isdigit() else name)[:_LONGEST]


def model_name(stem: str) -> str:
    """Return the name of a model or a dataset for the stem of a file: `flights` for `Flights 2013-01`."""
    words = re.sub(r"[^a-z0-9_]+", "-", _ascii(stem).lower()).strip("-_")
    name = _DATE_AT_END.sub("", words).strip("-_") or words or "model"
    return (name if name[0].isalpha() else f"model-{name}")[:_LONGEST]


def words(name: str) -> tuple[str, ...]:
    """Return the words of a name in lower case. They are the same for `customerID`, `customer_id` and `Customer Id`."""
    return tuple(word.lower() for word in _WORD.findall(_ascii(name)))


def _ascii(text: str) -> str:
    return unicodedata.normalize("NFKD", text.translate(_LETTERS)).encode("ascii", "ignore").decode()
