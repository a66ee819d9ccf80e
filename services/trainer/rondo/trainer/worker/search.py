"""Runs the search of a run: trial after trial, each recorded before the next begins."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from rondo.contracts.events.training import TrainingProgressed
from rondo.contracts.vocabularies import EndedTrialState
from rondo.trainer.errors import ClaimLostError
from rondo.trainer.run import Trial

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rondo.trainer.pipeline import Search
    from rondo.trainer.ports import Blocking, RetryWhileUnavailable, RunQueue
    from rondo.trainer.run import Run
    from rondo.trainer.search.plan import Found, SearchPlan

log = logging.getLogger(__name__)
_DIED = "the worker died twice during this trial, most likely for lack of memory"


async def run_search(
    run: Run,
    search: Search,
    training_set_digest: str,
    queue: RunQueue,
    blocking: Blocking,
    retry: RetryWhileUnavailable,
) -> Found:
    """Return the result of the search. Trials that another attempt of the run recorded on these rows are not repeated.

    Raises:
        AllTrialsFailedError: no trial is complete.
        ClaimLostError: another worker has taken the run over.

    """
    recorded = await retry(lambda: queue.trials(run, training_set_digest))
    ended = list(recorded.ended)
    if ended:
        log.info("%s continues after %d trials of an earlier attempt", run.id, len(ended))
    if (lost := recorded.lost) is not None:
        failed = Trial(lost.number, lost.params, lost.origin, state=EndedTrialState.FAILED, detail=_DIED)
        await _record(run, search.plan, ended, failed, queue, retry)
    while (proposal := await blocking(search.plan.next_proposal, tuple(ended))) is not None:
        if not await retry(lambda at=proposal: queue.begin_trial(run, training_set_digest, at)):  # type: ignore[misc]
            raise ClaimLostError(run.id)
        trial = await blocking(search.objective.run, proposal, tuple(ended))
        await _record(run, search.plan, ended, trial, queue, retry)
    return search.found(ended)


async def _record(
    run: Run, plan: SearchPlan, ended: list[Trial], trial: Trial, queue: RunQueue, retry: RetryWhileUnavailable
) -> None:
    """Record a trial, publish the progress, and add the trial to `ended`."""
    progressed = _progress(run, plan, [*ended, trial])
    if not await retry(lambda: queue.end_trial(run, trial, progressed)):
        raise ClaimLostError(run.id)
    log.info("%s: %s (%s)", run.id, progressed.detail, trial.detail or trial.state)
    ended.append(trial)


def _progress(run: Run, plan: SearchPlan, ended: Sequence[Trial]) -> TrainingProgressed:
    best = plan.best(ended)
    return TrainingProgressed(
        model=run.model,
        run_id=run.id,
        trigger=run.trigger,
        trials=len(ended),
        planned=plan.trials,
        metric=plan.metric.name,
        best=best.value if best else None,
    )
