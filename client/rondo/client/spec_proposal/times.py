"""How times are written in a file: forms that ingestion reads, and common ones that have to be rewritten."""

from __future__ import annotations

import re
from enum import Enum

from rondo.contracts.batch_files.times import DATE, WITH_ZONE, WITHOUT_ZONE

_MONTH = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*"
_SMALL_CLOCK = r"(?:[ T]\d{1,2}:\d\d(?::\d\d(?:[.,]\d+)?)?)?(?: ?[AaPp][Mm])?"


class TimeForm(Enum):
    """A form of times: its value is a regular expression of RE2, or "" for what is no text."""

    RFC_3339 = WITH_ZONE
    DATE = DATE
    NO_ZONE = f"{WITH_ZONE}|{WITHOUT_ZONE}|{DATE}"
    OTHER = (
        r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d.{0,20}$|^(?:\d{1,2}[./-]\d{1,2}[./-](?:\d\d|\d{4})"
        rf"|\d{{4}}[./-]\d{{1,2}}[./-]\d{{1,2}}){_SMALL_CLOCK}.{{0,6}}$"
        rf"|^(?:[A-Z][a-z]{{2,8}},? )?\d{{1,2}}\.? {_MONTH},? \d{{4}}.{{0,20}}$|^{_MONTH} \d{{1,2}},? \d{{4}}.{{0,20}}$"
        rf"|^\d{{8}}T\d{{4,6}}.{{0,6}}$"
    )
    EPOCH = ""

    @property
    def needs_zone(self) -> bool:
        """Whether `data.time_zone` has to say what the times mean."""
        return self in (TimeForm.NO_ZONE, TimeForm.DATE)


# The forms that are read of texts, the strictest first: a text that several match has the first.
TEXT_FORMS = (TimeForm.RFC_3339, TimeForm.DATE, TimeForm.NO_ZONE, TimeForm.OTHER)
_NUMBERS = re.compile(r"(\d{1,2})([./-])(\d{1,2})[./-](\d{4})\b")
_MONTHS = 12


def rewritten(text: str) -> str:
    """Return how to write a time of another form, with both dates where it may be one of two."""
    found = _NUMBERS.match(text)
    if found is None:
        return f"write {text!r} and the others as 2013-01-31T10:00:00Z"
    one, other, year = int(found[1]), int(found[3]), found[4]
    day_first, month_first = f"{year}-{other:02}-{one:02}", f"{year}-{one:02}-{other:02}"
    if found[2] == "." or one > _MONTHS:
        return f"write {text!r} as {day_first}, and the others likewise"
    if other > _MONTHS:
        return f"write {text!r} as {month_first}, and the others likewise"
    return f"{text!r} may be {month_first} or {day_first}: write the one that it is, and the others likewise"
