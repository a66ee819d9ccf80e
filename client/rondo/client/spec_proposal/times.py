"""How times are written in a file: what ingestion takes, and the common forms that have to be rewritten."""

from __future__ import annotations

from enum import Enum

_DATE = r"\d{4}-\d\d-\d\d"
_CLOCK = r"\d\d:\d\d"
_MONTH = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*"
_SMALL_CLOCK = r"(?:[ T]\d{1,2}:\d\d(?::\d\d(?:[.,]\d+)?)?)?(?: ?[AaPp][Mm])?"


class TimeForm(Enum):
    """A form of times: its value is a regular expression of RE2, or "" for what is no text."""

    RFC_3339 = rf"^{_DATE}[T ]{_CLOCK}:\d\d(?:\.\d+)?(?:[zZ]| ?[+-]\d\d:?\d\d)$"
    NO_ZONE = rf"^{_DATE}[T ]{_CLOCK}(?::\d\d(?:[.,]\d+)?)?$"
    DATE = rf"^{_DATE}$"
    OTHER = (
        rf"^{_DATE}[T ]{_CLOCK}.{{0,20}}$|^(?:\d{{1,2}}[./-]\d{{1,2}}[./-](?:\d\d|\d{{4}})"
        rf"|\d{{4}}[./-]\d{{1,2}}[./-]\d{{1,2}}){_SMALL_CLOCK}.{{0,6}}$"
        rf"|^(?:[A-Z][a-z]{{2,8}},? )?\d{{1,2}}\.? {_MONTH},? \d{{4}}.{{0,20}}$|^{_MONTH} \d{{1,2}},? \d{{4}}.{{0,20}}$"
        rf"|^\d{{8}}T\d{{4,6}}.{{0,6}}$"
    )
    EPOCH = ""

    @property
    def advice(self) -> str:
        """What to do before the file is published; "" where nothing."""
        return _ADVICE[self]


_REWRITE = "write them as 2013-01-01T10:00:00Z before you publish: ingestion refuses every row as it is"
_ADVICE = {
    TimeForm.RFC_3339: "",
    TimeForm.NO_ZONE: f"the times have no zone: {_REWRITE}",
    TimeForm.DATE: f"these are dates without a time of day and a zone: {_REWRITE}",
    TimeForm.OTHER: f"the times are not RFC 3339: {_REWRITE}",
    TimeForm.EPOCH: f"these look like seconds or milliseconds since 1970: {_REWRITE}",
}
# The forms that are read of texts, the strictest first: a text that several match has the first.
TEXT_FORMS = (TimeForm.RFC_3339, TimeForm.NO_ZONE, TimeForm.DATE, TimeForm.OTHER)
