"""Answers about all models: from memory for the models of this replica, from the last checkpoint for the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rondo.monitor.status.model_status import over_models

if TYPE_CHECKING:
    from rondo.monitor.assignment.ports import Models, OtherModels
    from rondo.monitor.assignment.replica import Replica
    from rondo.monitor.label_requests.wanted_labels import WantedLabels
    from rondo.monitor.status.model_status import ModelStatus, ModelSummary


class ModelAnswers:
    """The answers of the HTTP API about models. They do not depend on the replica that is asked."""

    def __init__(self, replica: Replica, others: OtherModels) -> None:
        self._replica, self._others = replica, others

    async def require(self, model: str) -> None:
        """Raise an error unless a model is monitored.

        Raises:
            UnknownModelError: no spec of it has been applied.

        """
        if self._here(model) is None:
            await self._others.require(model)

    async def status(self, model: str) -> ModelStatus:
        """Return the status of a model, see `model_status`.

        Raises:
            UnknownModelError: no spec of it has been applied.

        """
        return await (self._here(model) or self._others).status(model)

    async def wanted_labels(self, model: str, budget: int, uncertain: bool) -> WantedLabels:  # noqa: FBT001 - of a query
        """Return the predictions whose outcomes are wanted, see `wanted_labels`.

        Raises:
            UnknownModelError: no spec of it has been applied.

        """
        return await (self._here(model) or self._others).wanted_labels(model, budget, uncertain)

    async def summaries(self) -> tuple[ModelSummary, ...]:
        """Return a summary of each model that has a spec, by name."""
        parts = self._replica.parts
        here = [each for part in parts.values() for each in await part.models.summaries()]
        if not parts or len(parts) < self._replica.count or not all(each.models.is_loaded for each in parts.values()):
            here += await self._others.summaries({each.model for each in here})
        return over_models(sorted(here, key=lambda each: each.model))

    async def evident(self) -> dict[tuple[str, int | None], bool]:
        """Return whether the evidence of each version that serves suffices among all models. Only of those with any."""
        found = await self.summaries()
        return {(each.model, each.version): each.evident_over_models for each in found if each.strength is not None}

    def _here(self, model: str) -> Models | None:
        part = self._replica.part_of(model)
        return part.models if part is not None and part.models.knows(model) else None
