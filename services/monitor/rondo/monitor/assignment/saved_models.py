"""Answers about models of other replicas, from their last checkpoints, which are about a second old.

A state is decoded for each answer. Only summaries are kept in memory, until the model has another checkpoint.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import TYPE_CHECKING

from rondo.monitor.errors import UnknownModelError, UnreadableStateError
from rondo.monitor.evidence.reference import Reference
from rondo.monitor.label_requests.wanted_labels import wanted_labels
from rondo.monitor.model_state import ModelState
from rondo.monitor.quality.skew import NOTHING_MEASURED
from rondo.monitor.state.codec import decode_state
from rondo.monitor.status.model_status import model_status, summary, unreadable_summary

if TYPE_CHECKING:
    from collections.abc import Collection

    from rondo.contracts.spec.model import ModelSpec
    from rondo.monitor.costs.cost_status import Power
    from rondo.monitor.label_requests.wanted_labels import WantedLabels
    from rondo.monitor.ports import ModelRevision, SavedModel, SavedModels
    from rondo.monitor.status.model_status import ModelStatus, ModelSummary

log = logging.getLogger(__name__)
# A later release may save other keys and columns, and a damaged column is no Arrow or JSON.
_UNDECODABLE = (AttributeError, LookupError, TypeError, ValueError)
_MOST_SHOWN = 200  # characters


class SavedModelAnswers:
    """Implements `ports.OtherModels`."""

    def __init__(self, saved: SavedModels, power: Power) -> None:
        self._saved, self._power = saved, power
        self._summaries: dict[str, tuple[ModelRevision, ModelSummary]] = {}

    async def require(self, model: str) -> None:
        known = await self._saved.revisions()
        if model not in known:
            raise UnknownModelError(model, sorted(known))

    async def status(self, model: str) -> ModelStatus:
        state, spec, reference, undecided_rollout = await self._load(model, tables=True)
        return await asyncio.to_thread(model_status, state, spec, reference, self._power, undecided_rollout)

    async def wanted_labels(self, model: str, budget: int, uncertain: bool) -> WantedLabels:  # noqa: FBT001 - of a query
        state, _, reference, _ = await self._load(model, tables=True)
        return await asyncio.to_thread(wanted_labels, state, reference, budget, uncertain=uncertain)

    async def summaries(self, besides: Collection[str]) -> tuple[ModelSummary, ...]:
        known = await self._saved.revisions()
        self._summaries = {model: each for model, each in self._summaries.items() if model in known}
        for model in sorted(known.keys() - set(besides)):
            with suppress(UnknownModelError):  # removed meanwhile
                await self._summarize(model, known[model])
        return tuple(each for model, (_, each) in sorted(self._summaries.items()) if model not in besides)

    async def _summarize(self, model: str, revision: ModelRevision) -> None:
        kept = self._summaries.get(model)
        if kept is None or kept[0] != revision:
            # A summary needs no rows.
            try:
                found = await asyncio.to_thread(summary, *await self._load(model, tables=False))
            except UnreadableStateError as error:
                log.error("%s", error, extra={"model": model})  # noqa: TRY400 - the message says what is wrong
                found = unreadable_summary(model, error)
            self._summaries[model] = revision, found

    async def _load(self, model: str, *, tables: bool) -> tuple[ModelState, ModelSpec, Reference | None, str | None]:
        found = await self._saved.load(model, tables=tables)
        if model not in found.control_plane.specs:
            raise UnknownModelError(model, sorted(await self._saved.revisions()))
        try:
            state = await asyncio.to_thread(self._decoded, model, found)
        except _UNDECODABLE as error:
            raise UnreadableStateError(model, f"{type(error).__name__}: {error}"[:_MOST_SHOWN]) from error
        digest = state.champion.digest if state.champion else ""
        profile = (await self._saved.profiles([digest])).get(digest) if digest else None
        reference = await asyncio.to_thread(Reference.of, profile, digest) if profile else None
        return state, found.control_plane.specs[model], reference, found.control_plane.undecided_rollouts.get(model)

    @staticmethod
    def _decoded(model: str, saved: SavedModel) -> ModelState:
        """Return a model's state, updated to the control plane's data as its own replica does next."""
        if saved.checkpoint is None:
            state = ModelState(model)
        else:
            # No rows are taken, so neither their order nor their time of arrival matters.
            state, _ = decode_state(model, saved.checkpoint, max_out_of_orderness=1, now=0.0)
        now = saved.control_plane
        if state.removed < now.removals.get(model, 0):
            state.remove(now.removals[model])
        champion = now.champions.get(model)
        if champion is not None and (state.champion is None or state.champion.revision < champion.revision):
            state.promote(champion)
        state.apply_spec(now.specs[model])
        state.look_at_quality(now.skews.get(model, NOTHING_MEASURED), outcomes_idle=False)
        return state
