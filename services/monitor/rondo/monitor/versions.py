"""Which versions of a model count: the champion, and those that may become it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rondo.monitor.ports import Champion


@dataclass(frozen=True)
class Versions:
    """The champion, and the versions that were it before."""

    champion: Champion | None = None
    former: frozenset[int] = frozenset()

    def promoted(self, champion: Champion) -> Versions:
        """Return the versions with another champion."""
        if self.champion is None or self.champion.version == champion.version:
            return Versions(champion, self.former)
        return Versions(champion, (self.former | {self.champion.version}) - {champion.version})

    def count(self, version: int) -> bool:
        """Tell whether rows of a version count: those of one that is champion no more do not."""
        if self.champion is None or version == self.champion.version:
            return True
        return version > self.champion.version and version not in self.former

    def is_champion(self, version: int) -> bool:
        """Tell whether a version is the champion."""
        return self.champion is not None and version == self.champion.version
