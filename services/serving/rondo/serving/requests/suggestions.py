"""Suggests the known name that is nearest to an unknown one.

A search costs more than an answer, and clients decide how often one is needed. Each micro-batch therefore has a limited
number of searches, which only compare a few short names.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_MAX_SEARCHES = 100
_MAX_NAMES, _MAX_LENGTH = 64, 64


class NameSuggester:
    """Suggestions for one micro-batch. Results are cached. After `max_searches` searches there are no new ones.

    A hundred searches take at most a few tenths of a second.
    """

    def __init__(self, max_searches: int = _MAX_SEARCHES) -> None:
        self._left = max_searches
        self._found: dict[tuple[str, frozenset[str]], str | None] = {}

    def nearest(self, name: str, among: Iterable[str]) -> str | None:
        """Return the name nearest to `name`. None if none is similar."""
        names = frozenset(each for each in among if len(each) <= _MAX_LENGTH)
        if len(names) > _MAX_NAMES or len(name) > _MAX_LENGTH:
            return None
        if (name, names) not in self._found and self._left > 0:
            self._left -= 1
            self._found[name, names] = next(iter(get_close_matches(name, names, n=1)), None)
        return self._found.get((name, names))
