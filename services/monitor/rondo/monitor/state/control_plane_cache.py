"""Caches specs, champions and compiled profiles. It is refreshed when the control plane's data changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rondo.monitor.evidence.reference import Reference
from rondo.monitor.ports import ControlPlaneSnapshot

if TYPE_CHECKING:
    from rondo.monitor.ports import ChampionRevision, ChangeSignal, Store


# The number of profiles to keep in addition to the required ones, because rows of a backlog alternate between versions.
_SPARE = 16


class ControlPlaneCache:
    """`snapshot` is as of the last refresh. `references` has profiles by digest, the latest required ones last."""

    def __init__(self, store: Store, signal: ChangeSignal) -> None:
        self._store, self._signal = store, signal
        self._requested: set[str] = set()
        self.snapshot = ControlPlaneSnapshot({}, {})
        self.references: dict[str, Reference] = {}

    async def refresh(self) -> None:
        self._signal.consume()
        await self._refresh()

    async def refresh_if_changed(self) -> None:
        if self._signal.consume():
            await self._refresh()

    async def load_references(self, digests: set[str]) -> None:
        """Load the profiles of these digests. An unknown profile is requested once between two refreshes.

        Only the latest of the other profiles are kept.
        """
        missing = digests - self.references.keys() - self._requested
        if missing:
            for digest, profile in (await self._store.profiles(sorted(missing))).items():
                self.references[digest] = Reference.of(profile, digest)
            self._requested |= missing
        for digest in digests & self.references.keys():
            self.references[digest] = self.references.pop(digest)
        for digest in list(self.references)[: max(0, len(self.references) - len(digests) - _SPARE)]:
            del self.references[digest]
            self._requested.discard(digest)

    def champion_reference(self, champion: ChampionRevision | None) -> Reference | None:
        return self.references.get(champion.digest) if champion else None

    async def _refresh(self) -> None:
        self.snapshot = await self._store.control_plane()
        # Profiles that were unknown before the refresh may be known now.
        self._requested.clear()
