"""What the registry does with events: load, decide, save."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from rondo.chassis.artifacts import ArtifactCorruptError, ArtifactMissingError
from rondo.chassis.errors import PermanentError
from rondo.chassis.events.consumer import Routes
from rondo.contracts.events.deployment import ReplicaChanged
from rondo.contracts.events.training import ModelTrained, TrainingFailed, TrainingSkipped, TrainingStarted
from rondo.registry.errors import UnknownModelError, UnknownSpecError
from rondo.registry.gates import gates
from rondo.registry.gates.champion_comparison import Champion
from rondo.registry.model import registration, runs, spec_review
from rondo.registry.model.model import Candidate
from rondo.registry.rollout import on_replica_report

if TYPE_CHECKING:
    from rondo.contracts.events.cloudevents import Envelope
    from rondo.contracts.spec.model import ModelSpec
    from rondo.registry.model.model import Model
    from rondo.registry.ports import Artifacts, Work

log = logging.getLogger(__name__)


def routes(artifacts: Artifacts) -> Routes[Work]:
    """Return the table from event to handler."""

    async def judged(envelope: Envelope[ModelTrained], work: Work) -> None:
        await on_model_trained(envelope, work, artifacts)

    table: Routes[Work] = Routes()
    table.on(TrainingStarted)(on_training_started)
    table.on(TrainingFailed)(on_training_failed)
    table.on(TrainingSkipped)(on_training_skipped)
    table.on(ModelTrained)(judged)
    table.on(ReplicaChanged)(on_replica_changed)
    return table


async def on_training_started(envelope: Envelope[TrainingStarted], work: Work) -> None:
    """Remember the run."""
    await work.record(runs.started(envelope.data))


async def on_training_failed(envelope: Envelope[TrainingFailed], work: Work) -> None:
    """Remember why there is no candidate."""
    await work.record(runs.failed(envelope.data))


async def on_training_skipped(envelope: Envelope[TrainingSkipped], work: Work) -> None:
    """Remember how a run ended that found too little data; a trigger that led to no run is nothing to remember."""
    if run := runs.skipped(envelope.data):
        await work.record(run)


async def on_model_trained(envelope: Envelope[ModelTrained], work: Work, artifacts: Artifacts) -> None:
    """Register the candidate, judge it, and let it serve or not. One run makes one version, however often it is told.

    Raises:
        PermanentError: the model or the spec that it was trained on is not known here.
        UnavailableError: the artifact store is away, and the champion's artifact had to be looked at.

    """
    trained = envelope.data
    model = await work.find(trained.model)
    if model is None:
        raise PermanentError(str(UnknownModelError(trained.model)))
    await work.record(runs.trained(trained))
    if version := model.of_run(trained.run_id):
        log.info("run %s is version %d of %s already", trained.run_id, version.number, model.name)
        return
    spec = await work.spec(trained.model, trained.evidence.spec_digest)
    if spec is None:
        raise PermanentError(str(UnknownSpecError(trained.model, trained.evidence.spec_digest)))
    champion = await _champion(model, spec, trained, artifacts)
    # The gates in force now, not those of the day on which the run was asked for.
    results = gates.judge(trained.evidence, model.spec.gates, champion)
    await work.save(registration.receive(model, Candidate(trained, results), spec))


async def _champion(model: Model, spec: ModelSpec, trained: ModelTrained, artifacts: Artifacts) -> Champion | None:
    """Return who serves, and whether it could have been scored; its artifact is looked at only where nobody was."""
    champion = model.champion
    if champion is None:
        return None
    if not spec_review.comparable(spec.features, champion.route().features):
        return Champion(champion.number, "it has other features")
    if trained.evidence.champion is None:
        try:
            await artifacts.get(champion.digest)
        except (ArtifactMissingError, ArtifactCorruptError) as error:
            return Champion(champion.number, str(error))
    return Champion(champion.number)


async def on_replica_changed(envelope: Envelope[ReplicaChanged], work: Work) -> None:
    """Remember what a replica says; a version that no replica can load is gone back from."""
    await on_replica_report.hear(work, envelope.data)
