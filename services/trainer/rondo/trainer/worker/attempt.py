"""One attempt at a run: read the data, fit off the event loop, store the candidate, assemble its evidence."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TypeVar, TypeVarTuple

from rondo.chassis.artifacts import ArtifactCorruptError, ArtifactMissingError
from rondo.contracts.events.training import ModelTrained, TrainingFailed, TrainingStarted
from rondo.contracts.spec.feature_types import unknown_types
from rondo.contracts.vocabularies import TriggerKind
from rondo.trainer.errors import LostModelError, TrainingImpossibleError, UnknownFeatureTypeError
from rondo.trainer.evaluation.candidate import ChampionModel
from rondo.trainer.evaluation.training_evidence import assemble_evidence
from rondo.trainer.run import Ended
from rondo.trainer.triggers.admission import HARM
from rondo.trainer.worker import skipped_runs
from rondo.trainer.worker.search import run_search
from rondo.trainer.worker.training_history import compared_now, known_by, trained_now, unfitted_rows

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor

    from rondo.chassis.artifacts import Artifacts
    from rondo.trainer.dataset.training_set import TrainingSet
    from rondo.trainer.evaluation.candidate import Candidate, FittedCandidate
    from rondo.trainer.fitting.plan import Planned
    from rondo.trainer.pipeline import Pipeline
    from rondo.trainer.ports import Datasets, RetryWhileUnavailable, RunQueue
    from rondo.trainer.run import ChampionVersion, Run, Training
    from rondo.trainer.search.plan import Found

log = logging.getLogger(__name__)
T = TypeVar("T")
A = TypeVarTuple("A")
# A promotion takes a quarter of a second if registry and Kafka answer. A rejection publishes no event that the trainer
# reads, so the wait has a limit.
_PROMOTED_WITHIN = timedelta(seconds=5)
# If the champion changes more often during one evaluation, the gates handle it: they ask for a new run.
_EVALUATIONS = 3


class Attempt:
    """Runs one attempt. `executor` has the thread for the blocking parts."""

    def __init__(
        self,
        queue: RunQueue,
        datasets: Datasets,
        artifacts: Artifacts,
        pipeline: Pipeline,
        executor: Executor,
        code_version: str,
    ) -> None:
        self._queue = queue
        self._datasets = datasets
        self._artifacts = artifacts
        self._pipeline = pipeline
        self._executor = executor
        self._code_version = code_version

    async def run(self, run: Run, retry: RetryWhileUnavailable) -> Ended:
        """Return how the run ends. A fault of the spec or the data ends it as failed, with a message for its author.

        Access to the database and to the artifact store for the candidate, which every run needs, is retried. Data and
        champion may be unavailable only for this run, so the run is postponed.

        Raises:
            UnavailableError: the data or the champion can't be read now, or the worker stops while a retry lasts.
            ClaimLostError: another worker has taken the run over.

        """
        try:
            if unknown := unknown_types(run.spec.features):
                raise UnknownFeatureTypeError(unknown)
            # The count comes from the tables' logs, so that too few rows are not read at all.
            rows = await self._blocking(self._datasets.rows_at_most, run.spec)
            if rows < run.spec.trainer.min_rows:
                return Ended(skipped_runs.too_few_rows(run, rows))
            training_set = await self._blocking(self._datasets.read, run.spec, run.trigger.at, run.sources)
            digest = await self._function_digest(run)
            last = await retry(lambda: self._queue.last_training(run.model))
            known = known_by(run.spec, await retry(lambda: self._queue.training(run.model)))
            unfitted = unfitted_rows(run.spec, training_set, known)
            skipped = skipped_runs.reason_to_skip(run, training_set, digest, last)
            if skipped or (skipped := skipped_runs.not_grown(run, unfitted, known)):
                return Ended(skipped, unfitted=unfitted)
            champion = await self._check_champion(run, retry)
            await retry(lambda: self._queue.begin(run, _started(run), training_set.digest, digest))
            if run.trigger.kind == TriggerKind.REGISTRATION or not run.spec.retrain.is_automatic:
                trained = await self._train(
                    run, training_set, await self._fitted(run, training_set, champion, retry), retry
                )
                return Ended(trained, trained_now(run, training_set, trained, known))
            return await self._compare_strategies(run, training_set, champion, known, retry)
        except TrainingImpossibleError as error:
            log.warning("%s fails: %s", run.id, error)
            failed = TrainingFailed(
                model=run.model, run_id=run.id, trigger=run.trigger, reason=str(error), attempts=run.attempt
            )
            return Ended(failed)

    async def _function_digest(self, run: Run) -> str | None:
        """Return the digest of the user's code that trains. None if a library trains, or for a registration."""
        if run.trigger.artifact is not None:
            return None
        version = await self._blocking(self._pipeline.function_version, run.spec)
        return version.digest if version else None

    async def _check_champion(self, run: Run, retry: RetryWhileUnavailable) -> ChampionModel | None:
        """Read the champion before the training, so that no candidate is trained that can't be compared.

        With `policy: auto` the rows that the champion was fitted to determine the holdout, so this waits for the
        promotion of the previous candidate.
        """
        if run.spec.retrain.is_automatic:
            await retry(lambda: self._queue.wait_for_promotion(run.model, _PROMOTED_WITHIN))
        champion = await retry(lambda: self._queue.champion(run.model))
        return None if champion is None else await self._load(run.model, champion)

    async def _search(
        self,
        run: Run,
        training_set: TrainingSet,
        champion: ChampionModel | None,
        retry: RetryWhileUnavailable,
        planned: Planned | None = None,
    ) -> Found | None:
        if run.spec.trainer.search is None:
            return None
        search = await self._blocking(self._pipeline.plan_search, run.spec, training_set, champion, planned)
        return await run_search(run, search, training_set.digest, self._queue, self._blocking, retry)

    async def _compare_strategies(
        self,
        run: Run,
        training_set: TrainingSet,
        champion: ChampionModel | None,
        known: Training | None,
        retry: RetryWhileUnavailable,
    ) -> Ended:
        """Train with `policy: auto`: fit the strategies, and train on the rows of the leader.

        The run ends as skipped if the champion is so much better that nothing should replace it, unless a person asked
        for the training.
        """
        since = run.trigger.since if run.trigger.kind in HARM else None
        state = None if known is None else known.state
        planned = await self._blocking(self._pipeline.plan, run.spec, training_set, state, champion, since)
        found = await self._search(run, training_set, champion, retry, planned)
        chosen = await self._blocking(self._pipeline.choose, run.spec, planned, champion, found)
        if run.trigger.kind == TriggerKind.MANUAL:
            chosen = replace(chosen, choice=replace(chosen.choice, keeps=False))
        training = compared_now(run, training_set, chosen, known)
        chosen = replace(chosen, next_growth=training.growth)
        if chosen.choice.keeps:
            return Ended(skipped_runs.keeps_champion(run, chosen), training)
        champions = await self._last_champions(run, retry)
        fitted = await self._blocking(self._pipeline.fit, run.spec, training_set, champions, found, chosen)
        return Ended(await self._train(run, training_set, fitted, retry), training)

    async def _train(
        self, run: Run, training_set: TrainingSet, fitted: FittedCandidate, retry: RetryWhileUnavailable
    ) -> ModelTrained:
        digest = await retry(lambda: self._artifacts.put(fitted.model))
        candidate = await self._evaluate(run, fitted, retry)
        evidence = assemble_evidence(run.spec, training_set, candidate, self._code_version)
        content = evidence.encode()
        evidence_digest = await retry(lambda: self._artifacts.put(content))
        return ModelTrained(
            model=run.model,
            run_id=run.id,
            trigger=run.trigger,
            digest=digest,
            size=len(candidate.model),
            evidence=evidence_digest,
            summary=evidence.summary(),
            started_at=run.started_at,
            finished_at=datetime.now(UTC),
        )

    async def _fitted(
        self, run: Run, training_set: TrainingSet, champion: ChampionModel | None, retry: RetryWhileUnavailable
    ) -> FittedCandidate:
        """Return a newly fitted candidate, or one of the model that a registration names."""
        artifact = run.trigger.artifact
        if artifact is None:
            found = await self._search(run, training_set, champion, retry)
            champions = await self._last_champions(run, retry)
            return await self._blocking(self._pipeline.fit, run.spec, training_set, champions, found)
        try:
            content = await self._artifacts.get(artifact)
        except (ArtifactMissingError, ArtifactCorruptError) as error:
            raise LostModelError(artifact) from error
        return await self._blocking(self._pipeline.take, run.spec, training_set, content)

    async def _last_champions(self, run: Run, retry: RetryWhileUnavailable) -> tuple[ChampionModel, ...]:
        """Return the models that may be members of an ensemble. Empty if the spec asks for no ensemble."""
        if (count := run.spec.trainer.ensemble - 1) == 0:
            return ()
        await retry(lambda: self._queue.wait_for_promotion(run.model, _PROMOTED_WITHIN))
        versions = await retry(lambda: self._queue.last_champions(run.model, count))
        return tuple([await self._load(run.model, version) for version in versions])

    async def _evaluate(self, run: Run, fitted: FittedCandidate, retry: RetryWhileUnavailable) -> Candidate:
        """Compare with the champion. Repeat if it changes meanwhile, because the gates compare with the newest one.

        This first waits for the promotion of the previous run's candidate, which may happen at any moment.
        """
        await retry(lambda: self._queue.wait_for_promotion(run.model, _PROMOTED_WITHIN))
        champion = await retry(lambda: self._queue.champion(run.model))
        for _ in range(_EVALUATIONS):
            candidate = await self._compare(champion, run, fitted)
            compared, champion = champion, await retry(lambda: self._queue.champion(run.model))
            if champion == compared:
                break
        return candidate

    async def _compare(self, champion: ChampionVersion | None, run: Run, fitted: FittedCandidate) -> Candidate:
        loaded = None if champion is None else await self._load(run.model, champion)
        return await self._blocking(self._pipeline.evaluate, run.spec, fitted, loaded)

    async def _load(self, model: str, champion: ChampionVersion) -> ChampionModel:
        try:
            return ChampionModel(champion.model_version, await self._artifacts.get(champion.digest))
        except (ArtifactMissingError, ArtifactCorruptError) as error:
            # A lost champion is a reason to train, not to stop. The evidence names its version, without figures.
            log.warning("version %d of %s can't be compared with: %s", champion.model_version, model, error)
            return ChampionModel(champion.model_version, None)

    async def _blocking(self, call: Callable[[*A], T], *arguments: *A) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, call, *arguments)


def _started(run: Run) -> TrainingStarted:
    return TrainingStarted(
        model=run.model,
        run_id=run.id,
        trigger=run.trigger,
        spec_digest=run.spec.digest,
        started_at=run.started_at,
    )
