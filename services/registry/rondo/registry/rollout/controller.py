"""Decides about each rollout at each tick, at each new evidence, and on a command.

A unit of work loads the rollout under the lock of its model, decides, and saves the rollout with the changes of the
decision. So a crash leaves the rollout before or after a decision, and the next tick continues from there.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from pydantic import ValidationError

from rondo.chassis.errors import UnavailableError
from rondo.chassis.periodic import run_periodically
from rondo.chassis.training_evidence import UnusableEvidenceError, load_evidence
from rondo.contracts.vocabularies import RolloutState
from rondo.registry.errors import NoRolloutError, RolloutStateError
from rondo.registry.model.model import SYSTEM, Actor
from rondo.registry.model.rollouts import ACTIVE, new_rollout
from rondo.registry.rollout import advance as deciding
from rondo.registry.rollout import rollout_deployments as deployments
from rondo.registry.rollout.advance import Advance, advance
from rondo.registry.rollout.candidate_evidence import candidate_evidence
from rondo.registry.rollout.comparability import is_compared, other_answers, why_not_compared
from rondo.registry.rollout.plan import plan_of
from rondo.registry.rollout.promotion import promote
from rondo.registry.schedule.scheduler import utc_now

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from rondo.chassis.artifacts import Artifacts
    from rondo.contracts.events.monitoring import RolloutEvidence
    from rondo.contracts.training_evidence import Evidence
    from rondo.registry.model.model import Model, Version
    from rondo.registry.model.rollouts import Rollout
    from rondo.registry.ports import RolloutQueries, RolloutTable, Store

log = logging.getLogger(__name__)
POLL_SECONDS = 5.0


class RolloutController:
    """Runs in every registry replica. The lock of a model lets only one of them decide at a time."""

    def __init__(
        self, store: Store, queries: RolloutQueries, artifacts: Artifacts, clock: Callable[[], datetime] = utc_now
    ) -> None:
        self._store, self._queries, self._artifacts, self._clock = store, queries, artifacts, clock

    async def run(self) -> None:
        """Run until cancelled."""
        await run_periodically("the rollouts", self.tick)

    async def tick(self) -> float:
        """Decide about every rollout, and begin waiting ones. Returns the seconds until the next tick.

        If a dependency is unavailable for one model, or its stored rollout can't be read, the others are not delayed.

        Raises:
            UnavailableError: a dependency was unavailable. It is raised after the other models.

        """
        unavailable: UnavailableError | None = None
        for name in await self._queries.models_in_rollout():
            try:
                async with self._store.work() as work:
                    await self._decide(work, name)
            except UnavailableError as error:
                unavailable = error
            except ValidationError as error:
                log.error(  # noqa: TRY400 - a line for each tick is enough
                    "%s: this release can't read its stored rollout (%d errors), which stays as it is: run the release "
                    "that wrote it", name, error.error_count(),
                )  # fmt: skip
        if unavailable is not None:
            raise unavailable
        return POLL_SECONDS

    async def _decide(self, work: RolloutTable, name: str) -> None:
        model, rollout = await work.load_for_update(name), await work.rollout(name)
        if model is None:
            if rollout is not None and rollout.is_active:
                await work.save_rollout(
                    rollout.model_copy(update={"state": RolloutState.SUPERSEDED, "inconclusive_at": None})
                )
            return
        if rollout is not None and rollout.is_active:
            await _advance(work, model, rollout, self._clock(), grown=False)
        elif model.waiting is not None:
            await self._begin(work, model, model.waiting)

    async def _begin(self, work: RolloutTable, model: Model, version: Version) -> None:
        champion = model.champion
        if champion is None:
            return
        # The champion or the spec may have changed since the version began to wait.
        if why := why_not_compared(version, champion):
            await work.save(deployments.retire_waiting(model, version, why))
            return
        candidate = await work.candidate(model.name, version.number)
        if not is_compared(model.spec.rollout):
            await work.save(promote(model, version, candidate, SYSTEM, candidate.trained.trigger))
            return
        before = await work.candidate(model.name, champion.number)
        evidence, reference = [await self._evidence(each.trained.evidence) for each in (candidate, before)]
        if why := other_answers(evidence, reference, champion.number):
            await work.save(deployments.retire_waiting(model, version, why))
            return
        plan = plan_of(model.spec, reference.profile if reference else None, evidence.paired if evidence else None)
        rollout = new_rollout(model.name, version.number, champion.number, plan, self._clock())
        await work.save(deployments.begin(model, rollout))
        await work.save_rollout(rollout)
        log.info("%s: a rollout of version %d began", model.name, version.number)

    async def _evidence(self, digest: str) -> Evidence | None:
        try:
            return await load_evidence(self._artifacts, digest)
        except UnusableEvidenceError as error:
            log.warning("%s: the rollout has defaults in its place", error)
            return None


async def take_evidence(work: RolloutTable, evidence: RolloutEvidence, now: datetime) -> None:
    """Add evidence to its rollout, and decide. Evidence about other versions is ignored."""
    model, rollout = await work.load_for_update(evidence.model), await work.rollout(evidence.model)
    if model is None or rollout is None or not rollout.is_active:
        return
    found = candidate_evidence(evidence, rollout)
    if found is None:
        log.info("%s: evidence about other versions than those of the rollout is ignored", evidence.model)
        return
    rollout = rollout.with_differences(found.blocks, evidence.complete_until)
    for minute in found.minutes:
        rollout = rollout.with_minute(minute)
    await _advance(work, model, rollout, now, grown=True)


async def refuse(work: RolloutTable, model: Model, version: int, reason: str, now: datetime) -> bool:
    """Go back because a replica can't load the candidate. Return whether there is such a rollout."""
    rollout = await work.rollout(model.name)
    if (
        rollout is None
        or rollout.state not in {RolloutState.RUNNING, RolloutState.PAUSED, RolloutState.ASKING}
        or rollout.candidate != version
    ):
        return False
    await _apply(work, model, deciding.abort(rollout, now), Actor(SYSTEM.name, reason))
    return True


async def command(work: RolloutTable, name: str, action: str, actor: Actor, now: datetime) -> Rollout:
    """Execute the command of a person: `pause`, `resume`, `promote` or `abort`.

    Raises:
        NoRolloutError: no rollout is active.
        RolloutStateError: its state does not allow it.

    """
    model, rollout = await work.load_for_update(name), await work.rollout(name)
    if model is None or rollout is None or not rollout.is_active or not deployments.is_in_force(model, rollout):
        raise NoRolloutError(name)
    if rollout.state not in _ALLOWED[action]:
        raise RolloutStateError(
            name, action, rollout.state, tuple(a for a, s in _ALLOWED.items() if rollout.state in s)
        )
    if action == "pause":
        taken = Advance(deciding.pause(rollout, now), "wait", "")
    elif action == "resume":
        taken = Advance(deciding.resume(rollout, now), "wait", "")
    else:
        taken = deciding.promote_now(rollout, now) if action == "promote" else deciding.abort(rollout, now)
    await _apply(work, model, taken, actor)
    return taken.rollout


_ALLOWED: dict[str, tuple[RolloutState, ...]] = {
    "pause": (RolloutState.RUNNING,),
    "resume": (RolloutState.PAUSED, RolloutState.ASKING),
    "promote": (RolloutState.RUNNING, RolloutState.PAUSED, RolloutState.ASKING),
    "abort": ACTIVE,
}


async def _advance(work: RolloutTable, model: Model, rollout: Rollout, now: datetime, *, grown: bool) -> None:
    """Decide about a rollout, and save it if it changes, or if its evidence has grown."""
    if not deployments.is_in_force(model, rollout):
        ended = rollout.model_copy(update={"state": RolloutState.SUPERSEDED, "since": now, "inconclusive_at": None})
        await work.save(deployments.supersede(model, ended))
        await work.save_rollout(ended)
        return
    taken = advance(rollout, now)
    if taken.action != "wait" or taken.verdict:
        await _apply(work, model, taken, SYSTEM)
    elif grown:
        await work.save_rollout(rollout)


async def _apply(work: RolloutTable, model: Model, taken: Advance, actor: Actor) -> None:
    rollout = taken.rollout
    candidate = await work.candidate(model.name, rollout.candidate)
    await work.save(deployments.apply(model, candidate, taken, actor))
    await work.save_rollout(rollout)
    log.info(
        "%s: the rollout of version %d is %s (%s) after %d answers",
        model.name, rollout.candidate, rollout.state, taken.verdict or taken.action, rollout.gathered.answers,
    )  # fmt: skip
