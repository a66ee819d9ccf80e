"""Which versions' rows count: those of the champion, and of versions that may become it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rondo.monitor.ports import ChampionRevision


@dataclass(frozen=True)
class ChampionHistory:
    """The champion, and the versions that were champion before."""

    champion: ChampionRevision | None = None
    former: frozenset[int] = frozenset()

    def promoted(self, champion: ChampionRevision) -> ChampionHistory:
        if self.champion is None or self.champion.version == champion.version:
            return ChampionHistory(champion, self.former)
        return ChampionHistory(champion, (self.former | {self.champion.version}) - {champion.version})

    def counts(self, version: int) -> bool:
        """Return whether rows of a version count: not those of a former champion, nor of an older version."""
        if self.champion is None or version == self.champion.version:
            return True
        return version > self.champion.version and version not in self.former
