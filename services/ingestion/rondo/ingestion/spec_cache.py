"""The specs in force, from the compacted topics `specs.applied` and `datasets.applied`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from rondo.contracts.tasks.registry import UnknownTaskError
from rondo.ingestion.validation.contract import Contract, NoContractError, contract_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from rondo.contracts.spec.dataset.section import DatasetSpec
    from rondo.contracts.spec.model import ModelSpec
    from rondo.contracts.tasks.base import Labels


class SpecCache:
    """One spec per model and per declared dataset.

    The mappings are replaced as a whole, so the stream's thread can read them without a lock.
    """

    def __init__(self, specs: Iterable[ModelSpec] = (), datasets: Iterable[DatasetSpec] = ()) -> None:
        self._by_model = {spec.model: spec for spec in specs}
        self._declared = {spec.dataset: spec for spec in datasets}
        self._dataset_revisions = dict.fromkeys(self._declared, 0)
        self._revisions = dict.fromkeys(self._by_model, 0)
        # The highest revision of each dataset that a model spec was reviewed against.
        self._reviewed: dict[str, int] = {}
        self._changed = asyncio.Event()

    def put(self, spec: ModelSpec, revision: int, dataset_revision: int = 0) -> None:
        """Cache a spec unless a later revision is cached. The topic is read from its beginning more than once.

        Its dataset has no contract until the revision `dataset_revision`, a spec or a removal, is cached.
        """
        dataset = spec.data.dataset
        self._reviewed = self._reviewed | {dataset: max(dataset_revision, self._reviewed.get(dataset, 0))}
        if revision < self._revisions.get(spec.model, 0):
            return
        self._revisions[spec.model] = revision
        self._by_model = self._by_model | {spec.model: spec}
        self._notify()

    def remove(self, model: str, revision: int) -> None:
        """Delete the spec of a removed model, and ignore every spec with a lower revision that arrives later."""
        if revision < self._revisions.get(model, 0):
            return
        self._revisions[model] = revision
        self._by_model = {name: spec for name, spec in self._by_model.items() if name != model}

    def put_dataset(self, spec: DatasetSpec, revision: int) -> None:
        """Cache the spec of a dataset unless a later revision is cached."""
        if revision < self._dataset_revisions.get(spec.dataset, 0):
            return
        self._dataset_revisions[spec.dataset] = revision
        self._declared = self._declared | {spec.dataset: spec}
        self._notify()

    def remove_dataset(self, dataset: str, revision: int) -> None:
        """Delete the spec of a dataset that is no longer declared, like `remove` does for a model."""
        if revision < self._dataset_revisions.get(dataset, 0):
            return
        self._dataset_revisions[dataset] = revision
        self._declared = {name: spec for name, spec in self._declared.items() if name != dataset}
        self._notify()

    def _notify(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def wait_for_dataset(self, dataset: str, seconds: float) -> None:
        """Wait until the dataset has a contract, at most `seconds`.

        A spec that was applied just before the batch was sent may arrive after it.
        """
        try:
            async with asyncio.timeout(seconds):
                while not self._has_spec(dataset):
                    await self._changed.wait()
        except TimeoutError:
            return  # `contract` raises NoContractError with the reason

    def _has_spec(self, dataset: str) -> bool:
        if self._is_behind(dataset):
            return False
        return dataset in self._declared or any(spec.data.dataset == dataset for spec in self._by_model.values())

    def _is_behind(self, dataset: str) -> bool:
        return self._dataset_revisions.get(dataset, 0) < self._reviewed.get(dataset, 0)

    def of_dataset(self, dataset: str) -> list[ModelSpec]:
        """Return the specs that name the dataset, by model."""
        mine = (spec for spec in self._by_model.values() if spec.data.dataset == dataset)
        return sorted(mine, key=lambda spec: spec.model)

    @property
    def labels(self) -> Mapping[str, Labels | UnknownTaskError]:
        """The labels of each model that has a spec, or the error of a task that is unknown to this release."""
        return {model: _labels(spec) for model, spec in self._by_model.items()}

    def contract(self, dataset: str) -> Contract:
        """Return the contract of a dataset.

        Raises:
            NoContractError: no spec names the dataset, its models contradict each other, a spec has an unknown task or
                an unknown type of a column, or one was reviewed against a revision of the dataset that has not arrived
                yet.

        """
        if self._is_behind(dataset):
            message = f"the spec of the dataset {dataset!r} has not arrived yet: send the batch again in a moment"
            raise NoContractError(message)
        return contract_of(dataset, self._by_model.values(), self._declared)


def _labels(spec: ModelSpec) -> Labels | UnknownTaskError:
    try:
        return spec.labels
    except UnknownTaskError as error:
        return error
