"""Which version is the champion, which ones were replaced, and by which artifacts their rows are counted.

What is counted belongs to a version: its windows, the predictions without an outcome, and the labelled ones. So a
window in which one version replaces another is two windows, one for each of them. What is decided belongs to the
champion: evidence, alarms, alerts. The windows of a version that was replaced close by event time as those of the
champion, and describe.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from rondo.monitor.windows.unmatched_rows import LATEST

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from rondo.monitor.ports import ChampionRevision
    from rondo.monitor.windows.tumbling import TumblingWindows

MOST_REPLACED = 16
"""As many replaced versions may have open windows. Those of further ones, the oldest, close at once."""


@dataclass(frozen=True)
class ChampionHistory:
    """The champion, and the versions that were champion before.

    `digests` are the artifacts of the versions with open windows. `ended` are replaced versions whose windows closed
    before their time, so that later rows are too late.
    """

    champion: ChampionRevision | None = None
    former: frozenset[int] = frozenset()
    digests: Mapping[int, str] = field(default_factory=dict)
    ended: frozenset[int] = frozenset()

    def promoted(self, champion: ChampionRevision) -> ChampionHistory:
        ended = self.ended - {champion.version}
        if self.champion is None or self.champion.version == champion.version:
            return replace(self, champion=champion, ended=ended)
        before = self.champion
        return replace(
            self,
            champion=champion,
            former=(self.former | {before.version}) - {champion.version},
            digests={**self.digests, before.version: before.digest},
            ended=ended,
        )

    def counted(self, version: int, digest: str) -> ChampionHistory:
        """Return these with the artifact of a version whose rows are counted."""
        if self.digests.get(version) == digest:
            return self
        return replace(self, digests={**self.digests, version: digest})

    def with_windows(self, versions: Iterable[int]) -> ChampionHistory:
        """Return these with the artifacts of the versions that have open windows, and of no others."""
        kept = set(versions)
        if self.digests.keys() <= kept:
            return self
        return replace(self, digests={version: each for version, each in self.digests.items() if version in kept})

    def without_windows(self) -> ChampionHistory:
        """Return these where no version has windows, nor any that closed before their time."""
        return replace(self, digests={}, ended=frozenset())

    def is_replaced(self, version: int) -> bool:
        """Return whether another version is the champion in the place of a former or an older one.

        The others are the champion, and newer versions, which may become it.
        """
        if self.champion is None or version == self.champion.version:
            return False
        return version < self.champion.version or version in self.former

    def closes(self, version: int) -> bool:
        """Return whether the windows of a version close: those of one that may become the champion wait for it."""
        return self.champion is not None and (version == self.champion.version or self.is_replaced(version))

    def due(self, windows: Iterable[tuple[int, int]], tumbling: TumblingWindows, passed: int) -> list[tuple[int, int]]:
        """Return which windows, by version and start, close where event time has `passed`, in order of time.

        Those of replaced versions beyond `MOST_REPLACED` wait for nothing.
        """
        closing = [key for key in windows if self.closes(key[0])]
        beyond = self.beyond(closing)
        due = (key for key in closing if tumbling.close_time(key[1]) <= passed or key[0] in beyond)
        return sorted(due, key=lambda key: key[::-1])

    def earliest(self, windows: Iterable[tuple[int, int]]) -> int:
        """Return the earliest start of the open windows that close; without any, a time after all others."""
        return min((start for version, start in windows if self.closes(version)), default=LATEST)

    def digest(self, version: int) -> str:
        """Return the artifact by which the rows of a version are counted. Empty where it has no open window."""
        if self.champion is not None and version == self.champion.version:
            return self.champion.digest
        return self.digests.get(version, "")

    def ending(self, windows: Iterable[tuple[int, int]]) -> ChampionHistory:
        """Return these where the windows of the versions beyond `MOST_REPLACED` close now."""
        beyond = self.beyond(windows)
        return replace(self, ended=self.ended | beyond) if beyond else self

    def beyond(self, windows: Iterable[tuple[int, int]]) -> frozenset[int]:
        """Return the replaced versions beyond `MOST_REPLACED` of open windows by version and start."""
        newest: dict[int, int] = {}
        for version, start in windows:
            if self.is_replaced(version):
                newest[version] = max(start, newest.get(version, start))
        by_age = sorted(newest, key=lambda version: (newest[version], version))
        return frozenset(by_age[: max(0, len(by_age) - MOST_REPLACED)])
