"""One attempt at a run: read the data, train off the event loop, store the candidate, put the evidence together."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Protocol, TypeAlias, TypeVar, TypeVarTuple

from rondo.chassis.artifacts import ArtifactCorruptError, ArtifactMissingError
from rondo.contracts.events.training import ModelTrained, TrainingFailed, TrainingSkipped, TrainingStarted
from rondo.contracts.vocabularies import SkipReason
from rondo.trainer.errors import DataMissingError
from rondo.trainer.evaluation.candidate import Champion
from rondo.trainer.evaluation.evidence import evidence

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from concurrent.futures import Executor

    from rondo.trainer.dataset.training_set import TrainingSet
    from rondo.trainer.evaluation.candidate import Candidate, Learned
    from rondo.trainer.runs.run import Run, Serving
    from rondo.trainer.worker.ports import Artifacts, Datasets, Runs, Training

log = logging.getLogger(__name__)
T = TypeVar("T")
A = TypeVarTuple("A")
# A promotion takes a quarter of a second where registry and Kafka answer; a rejection is never heard of here.
_VERDICT_WITHIN = timedelta(seconds=5)
# Whoever changes the champion more often than this during one judgement has the gates' answer: train again.
_JUDGEMENTS = 3
Result: TypeAlias = ModelTrained | TrainingFailed | TrainingSkipped


class Patiently(Protocol):
    """Repeats an action while something that it needs is away."""

    def __call__(self, act: Callable[[], Awaitable[T]]) -> Awaitable[T]:
        """Do it."""


class Attempt:
    """Makes a result of a run; `executor` has the thread that the blocking parts are done in."""

    def __init__(
        self,
        runs: Runs,
        datasets: Datasets,
        artifacts: Artifacts,
        training: Training,
        executor: Executor,
        code_version: str,
    ) -> None:
        self._runs = runs
        self._datasets = datasets
        self._artifacts = artifacts
        self._training = training
        self._executor = executor
        self._code_version = code_version

    async def run(self, run: Run, patiently: Patiently) -> Result:
        """Return how the run ends. What the spec or the data is to blame for ends it as failed, with a sentence.

        What all runs need is waited for. What can't be read may be this run's data, or its champion, alone: that is
        for later.

        Raises:
            UnavailableError: the data or the champion can't be read now, or the worker was told to leave and all stayed
                away.

        """
        try:
            # Told from the tables' logs alone: too few are not even read.
            rows = await self._blocking(self._datasets.rows_at_most, run.spec)
            if rows < run.spec.trainer.min_rows:
                return _too_few(run, rows)
            training_set = await self._blocking(self._datasets.read, run.spec, run.trigger.at)
            if training_set.rows.height < run.spec.trainer.min_rows:
                return _too_few(run, training_set.rows.height)
            await self._ask_for_champion(run, patiently)
            await patiently(lambda: self._runs.begin(run, _started(run)))
            return await self._train(run, training_set, patiently)
        except (DataMissingError, ValueError) as error:
            log.warning("%s can't be trained: %s", run.id, error)
            return TrainingFailed(
                model=run.model, run_id=run.id, trigger=run.trigger, reason=str(error), attempts=run.attempt
            )

    async def _ask_for_champion(self, run: Run, patiently: Patiently) -> None:
        """See whether the champion can be read before a training is spent on what could not be judged beside it."""
        serving = await patiently(lambda: self._runs.serving(run.model))
        if serving is not None:
            with suppress(ArtifactMissingError, ArtifactCorruptError):
                await self._artifacts.get(serving.digest)

    async def _train(self, run: Run, training_set: TrainingSet, patiently: Patiently) -> Result:
        learned = await self._blocking(self._training.learn, run.spec, training_set)
        digest = await patiently(lambda: self._artifacts.put(learned.model))
        candidate = await self._judge(run, learned, patiently)
        return ModelTrained(
            model=run.model,
            run_id=run.id,
            trigger=run.trigger,
            digest=digest,
            size=len(candidate.model),
            evidence=evidence(run.spec, training_set, candidate, self._code_version),
            started_at=run.started_at,
            finished_at=datetime.now(UTC),
        )

    async def _judge(self, run: Run, learned: Learned, patiently: Patiently) -> Candidate:
        """Judge beside whoever serves by now, and again where that has changed meanwhile: the gates compare with it."""
        await patiently(lambda: self._runs.verdict(run.model, _VERDICT_WITHIN))
        serving = await patiently(lambda: self._runs.serving(run.model))
        for _ in range(_JUDGEMENTS):
            candidate = await self._judge_beside(serving, run, learned)
            judged, serving = serving, await patiently(lambda: self._runs.serving(run.model))
            if serving == judged:
                break
        return candidate

    async def _judge_beside(self, serving: Serving | None, run: Run, learned: Learned) -> Candidate:
        champion = await self._champion(run.model, serving)
        return await self._blocking(self._training.judge, run.spec, learned, champion)

    async def _blocking(self, act: Callable[[*A], T], *arguments: *A) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, act, *arguments)

    async def _champion(self, model: str, serving: Serving | None) -> Champion | None:
        if serving is None:
            return None
        try:
            return Champion(serving.model_version, await self._artifacts.get(serving.digest))
        except (ArtifactMissingError, ArtifactCorruptError) as error:
            # A new candidate is then needed all the more; the evidence names the version, and has no figures of it.
            log.warning("version %d of %s can't be compared with: %s", serving.model_version, model, error)
            return Champion(serving.model_version, None)


def _started(run: Run) -> TrainingStarted:
    return TrainingStarted(
        model=run.model,
        run_id=run.id,
        trigger=run.trigger,
        spec_digest=run.spec.digest,
        started_at=run.started_at,
    )


def _too_few(run: Run, rows: int) -> TrainingSkipped:
    detail = f"{rows:,} of {run.spec.trainer.min_rows:,} rows; waiting for more batches"
    return TrainingSkipped(
        model=run.model, trigger=run.trigger, reason=SkipReason.NOT_ENOUGH_DATA, detail=detail, run_id=run.id
    )
