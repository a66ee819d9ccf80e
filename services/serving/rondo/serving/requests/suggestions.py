"""Which name may have been meant where an unknown one was sent.

To look costs more than to answer a request, and who sends requests decides how often there is a reason to look: so
each micro-batch looks a limited number of times, and only among a few short names.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_LOOKS = 100
_MOST, _LONGEST = 64, 64


class Hints:
    """The hints of one micro-batch: the same question is answered from memory, and after `looks` others there is none.

    A hundred looks take at most some tenths of a second.
    """

    def __init__(self, looks: int = _LOOKS) -> None:
        self._left = looks
        self._found: dict[tuple[str, frozenset[str]], str | None] = {}

    def closest(self, name: str, among: Iterable[str]) -> str | None:
        """Return the name that is closest to `name`, or None where none is close."""
        names = frozenset(each for each in among if len(each) <= _LONGEST)
        if len(names) > _MOST or len(name) > _LONGEST:
            return None
        if (name, names) not in self._found and self._left > 0:
            self._left -= 1
            self._found[name, names] = next(iter(get_close_matches(name, names, n=1)), None)
        return self._found.get((name, names))
