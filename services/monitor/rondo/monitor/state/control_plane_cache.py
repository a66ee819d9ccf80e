"""What the watching knows of the control plane: specs, champions and profiles, asked for again when there are news."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rondo.monitor.detectors.reference import Reference
from rondo.monitor.ports import Knowledge

if TYPE_CHECKING:
    from collections.abc import Collection

    from rondo.monitor.model_state import Watch
    from rondo.monitor.ports import News, Store
    from rondo.monitor.stream.message_buffer import Waiting


class Known:
    """Specs and champions as of the last news; `references` by digest, of the profiles that were asked for."""

    def __init__(self, store: Store, news: News) -> None:
        self._store, self._news = store, news
        self.knowledge = Knowledge({}, {})
        self.references: dict[str, Reference] = {}

    async def learn(self, models: Collection[Waiting]) -> None:
        """Ask for everything, whether there are news or not."""
        self._news.heard()
        await self._ask(models)

    async def follow(self, models: Collection[Waiting]) -> None:
        """Ask for everything if there are news."""
        if self._news.heard():
            await self._ask(models)

    async def seek(self, models: Collection[Waiting]) -> None:
        """Ask for the profiles that the models need, each once between two news."""
        sought = {digest for each in models for digest in each.missing(self.references)}
        if sought:
            for digest, profiled in (await self._store.profiles(sorted(sought))).items():
                self.references[digest] = Reference.of(profiled)

    def reference(self, watch: Watch) -> Reference | None:
        """Return what the champion is held against, if its profile is known."""
        return self.references.get(watch.champion.digest) if watch.champion else None

    async def _ask(self, models: Collection[Waiting]) -> None:
        self.knowledge = await self._store.knowledge()
        # What was sought in vain may be known by now.
        for waiting in models:
            waiting.sought.clear()
