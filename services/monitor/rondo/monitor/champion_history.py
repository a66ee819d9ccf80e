"""The present champion, the replaced versions, and the artifacts that determine how their rows are counted.

Counts belong to a version: its windows, the predictions without an outcome, and the labelled ones. So a window in which
one version replaces another is two windows, one for each version. Decisions belong to the champion: evidence, alarms,
alerts. The windows of a replaced version close by event time like those of the champion, but only report figures.
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
"""The largest number of replaced versions with open windows. The windows of the oldest ones beyond it close at once."""


@dataclass(frozen=True)
class ChampionHistory:
    """The champion, and the versions that were champion before it.

    `former` are these versions. `digests` are the artifacts of the versions with open windows. `ended` are replaced
    versions whose windows closed early, so that their later rows are too late.
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
        """Return the history with the artifact of a version whose rows are counted."""
        if self.digests.get(version) == digest:
            return self
        return replace(self, digests={**self.digests, version: digest})

    def with_windows(self, versions: Iterable[int]) -> ChampionHistory:
        """Return the history with only the artifacts of the versions that have open windows."""
        kept = set(versions)
        if self.digests.keys() <= kept:
            return self
        return replace(self, digests={version: each for version, each in self.digests.items() if version in kept})

    def without_windows(self) -> ChampionHistory:
        """Return the history without open windows and without windows that closed early."""
        return replace(self, digests={}, ended=frozenset())

    def is_replaced(self, version: int) -> bool:
        """Return whether another version is the champion instead of this former or older one.

        False for the champion, and for newer versions, which may become the champion.
        """
        if self.champion is None or version == self.champion.version:
            return False
        return version < self.champion.version or version in self.former

    def closes(self, version: int) -> bool:
        """Return whether windows of a version can close.

        Those of a version that may become the champion stay open until then.
        """
        return self.champion is not None and (version == self.champion.version or self.is_replaced(version))

    def due(self, windows: Iterable[tuple[int, int]], tumbling: TumblingWindows, passed: int) -> list[tuple[int, int]]:
        """Return the windows, as version and start, that close once event time has `passed`, in order of time.

        The windows of replaced versions beyond `MOST_REPLACED` close at once.
        """
        closing = [key for key in windows if self.closes(key[0])]
        beyond = self.beyond(closing)
        due = (key for key in closing if tumbling.close_time(key[1]) <= passed or key[0] in beyond)
        return sorted(due, key=lambda key: key[::-1])

    def earliest(self, windows: Iterable[tuple[int, int]]) -> int:
        """Return the earliest start of the open windows that can close. Without any, a time after all others."""
        return min((start for version, start in windows if self.closes(version)), default=LATEST)

    def digest(self, version: int) -> str:
        """Return the digest of the artifact by which a version's rows are counted. Empty if it has no open window."""
        if self.champion is not None and version == self.champion.version:
            return self.champion.digest
        return self.digests.get(version, "")

    def ending(self, windows: Iterable[tuple[int, int]]) -> ChampionHistory:
        """Return the history after the windows of the versions beyond `MOST_REPLACED` have closed."""
        beyond = self.beyond(windows)
        return replace(self, ended=self.ended | beyond) if beyond else self

    def beyond(self, windows: Iterable[tuple[int, int]]) -> frozenset[int]:
        """Return the replaced versions with open windows beyond `MOST_REPLACED`.

        `windows` are the open ones, by version and start.
        """
        newest: dict[int, int] = {}
        for version, start in windows:
            if self.is_replaced(version):
                newest[version] = max(start, newest.get(version, start))
        by_age = sorted(newest, key=lambda version: (newest[version], version))
        return frozenset(by_age[: max(0, len(by_age) - MOST_REPLACED)])
