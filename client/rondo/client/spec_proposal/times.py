"""Forms of times in a file: forms that ingestion parses, and common forms that have to be rewritten."""

from __future__ import annotations

import re
from enum import Enum
from typing import TYPE_CHECKING

from rondo.contracts.batch_files.times import DATE, WITH_ZONE, WITHOUT_ZONE

if TYPE_CHECKING:
    from collections.abc import Sequence

_MONTH = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*"
_SMALL_CLOCK = r"(?:[ T]\d{1,2}:\d\d(?::\d\d(?:[.,]\d+)?)?)?(?: ?[AaPp][Mm])?"


class TimeForm(Enum):
    """A form of times. `value` is a regular expression of RE2, or "" for values that are not texts."""

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
        """True if the times need a zone, which `data.time_zone` has to name."""
        return self in (TimeForm.NO_ZONE, TimeForm.DATE)


# The forms that are parsed from texts, the strictest first, because a text has the first form that matches.
TEXT_FORMS = (TimeForm.RFC_3339, TimeForm.DATE, TimeForm.NO_ZONE, TimeForm.OTHER)
_NUMBERS = re.compile(r"(\d{1,2})([./-])(\d{1,2})[./-](\d{4})\b")
_YEAR_FIRST = re.compile(r"(\d{4})[./-](\d{1,2})[./-](\d{1,2})\b")
_EIGHT_DIGITS = re.compile(r"((?:19|20)\d\d)(\d\d)(\d\d)$")
_MONTHS = 12


def rewritten(texts: Sequence[str]) -> str:
    """Return the advice for times in another form, with the text that says most about the order of day and month."""
    text = max(texts, key=_rank)
    if found := _EIGHT_DIGITS.match(text):
        return f"write {text!r} as {'-'.join(found.groups())}, and the others likewise"
    dates = _dates(text)
    if len(dates) > 1:
        return f"{text!r} may be {' or '.join(dates)}: write the one that it is, and the others likewise"
    if dates:
        return f"write {text!r} as {dates[0]}, and the others likewise"
    return f"write {text!r} and the others as 2013-01-31T10:00:00Z"


def _rank(text: str) -> int:
    """Return a high rank for one possible date, a lower one for two, 0 for none or if day and month are equal."""
    found = _NUMBERS.match(text)
    if found is None or found[1] == found[3]:
        return 0
    return 3 - len(_dates(text))


def _dates(text: str) -> list[str]:
    """Return the dates that a text can mean. With points, or with a day above 12, there is only one."""
    found = _NUMBERS.match(text)
    if year_first := _YEAR_FIRST.match(text):
        return [f"{year_first[1]}-{int(year_first[2]):02}-{int(year_first[3]):02}"]
    if found is None:
        return []
    one, other, year = int(found[1]), int(found[3]), found[4]
    day_first, month_first = f"{year}-{other:02}-{one:02}", f"{year}-{one:02}-{other:02}"
    if found[2] == "." or one > _MONTHS:
        return [day_first]
    return [month_first] if other > _MONTHS or one == other else [month_first, day_first]
