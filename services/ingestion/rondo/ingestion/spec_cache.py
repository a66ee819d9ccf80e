"""The specs in force, as this process knows them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from rondo.ingestion.validation.contract import Contract, contract_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rondo.contracts.spec.model import ModelSpec


class Specs:
    """One spec a model. Replaced whole at each change, so that the stream's thread may look at any time."""

    def __init__(self, specs: Iterable[ModelSpec] = ()) -> None:
        self._by_model = {spec.model: spec for spec in specs}
        self._revisions = dict.fromkeys(self._by_model, 0)
        self._changed = asyncio.Event()

    def put(self, spec: ModelSpec, revision: int) -> None:
        """Bring a spec into force, unless a later revision is: the topic is read from its beginning more than once."""
        if revision < self._revisions.get(spec.model, 0):
            return
        self._revisions[spec.model] = revision
        self._by_model = self._by_model | {spec.model: spec}
        self._changed.set()
        self._changed = asyncio.Event()

    async def expect(self, dataset: str, patience: float) -> None:
        """Wait until a spec names the dataset, or for `patience` seconds: one applied a moment ago is on its way."""
        try:
            async with asyncio.timeout(patience):
                while all(spec.data.dataset != dataset for spec in self._by_model.values()):
                    await self._changed.wait()
        except TimeoutError:
            return  # that no spec names it is for `contract` to say

    @property
    def models(self) -> frozenset[str]:
        """The models that exist."""
        return frozenset(self._by_model)

    def contract(self, dataset: str) -> Contract:
        """Return what a dataset must look like.

        Raises:
            NoContractError: no spec names the dataset, or its specs contradict each other.

        """
        return contract_of(dataset, self._by_model.values())
