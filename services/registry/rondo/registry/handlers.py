"""The registry's event handlers: load, decide, save."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rondo.chassis.artifacts import ArtifactCorruptError, ArtifactMissingError
from rondo.chassis.errors import PermanentError
from rondo.chassis.training_evidence import UnusableEvidenceError, load_evidence
from rondo.contracts.events.deployment import ReplicaChanged
from rondo.contracts.events.monitoring import RolloutEvidence
from rondo.contracts.events.training import (
    ModelTrained,
    TrainingFailed,
    TrainingProgressed,
    TrainingSkipped,
    TrainingStarted,
)
from rondo.contracts.tasks.registry import UnknownTaskError
from rondo.registry.errors import UnknownModelError, UnknownSpecError
from rondo.registry.gates.artifact import new_artifact, unsound_artifact, unusable_evidence
from rondo.registry.gates.champion_comparison import ComparedChampion
from rondo.registry.gates.gates import evaluate_gates
from rondo.registry.model import runs
from rondo.registry.model.model import Candidate
from rondo.registry.registration import uploads
from rondo.registry.registration.candidates import register_candidate
from rondo.registry.registration.onnx_check import UnsoundArtifactError, check_onnx, check_task
from rondo.registry.registration.spec_review import comparable
from rondo.registry.rollout import controller, on_replica_report
from rondo.registry.rollout.comparability import is_compared, other_answers

if TYPE_CHECKING:
    from rondo.chassis.artifacts import Artifacts
    from rondo.chassis.events.consumer import Handlers
    from rondo.contracts.events.cloudevents import Envelope
    from rondo.contracts.events.models import GateResult
    from rondo.contracts.spec.model import ModelSpec
    from rondo.registry.model.model import Model
    from rondo.registry.ports import Work

log = logging.getLogger(__name__)


def event_handlers(artifacts: Artifacts) -> Handlers[Work]:

    async def trained(envelope: Envelope[ModelTrained], work: Work) -> None:
        await on_model_trained(envelope, work, artifacts)

    async def failed(envelope: Envelope[TrainingFailed], work: Work) -> None:
        await on_training_failed(envelope, work, artifacts)

    async def skipped(envelope: Envelope[TrainingSkipped], work: Work) -> None:
        await on_training_skipped(envelope, work, artifacts)

    return {
        TrainingStarted: on_training_started,
        TrainingProgressed: on_training_progressed,
        TrainingFailed: failed,
        TrainingSkipped: skipped,
        ModelTrained: trained,
        ReplicaChanged: on_replica_changed,
        RolloutEvidence: on_rollout_evidence,
    }


async def on_training_started(envelope: Envelope[TrainingStarted], work: Work) -> None:
    await work.save_run(runs.started(envelope.data))


async def on_training_progressed(envelope: Envelope[TrainingProgressed], work: Work) -> None:
    await work.save_run(runs.progressed(envelope.data))


async def on_training_failed(envelope: Envelope[TrainingFailed], work: Work, artifacts: Artifacts) -> None:
    """Save the run. The file of a registration is removed, because a client sends it again with the next request."""
    failed = envelope.data
    await work.save_run(runs.failed(failed, envelope.time))
    await uploads.discard(work, artifacts, failed.trigger.artifact, failed.trigger.id)


async def on_training_skipped(envelope: Envelope[TrainingSkipped], work: Work, artifacts: Artifacts) -> None:
    """Save the run. The file of a registration that has ended is removed."""
    skipped = envelope.data
    await work.save_run(runs.skipped(skipped, envelope.time))
    if uploads.is_final(skipped):
        await uploads.discard(work, artifacts, skipped.trigger.artifact, skipped.trigger.id)


async def on_model_trained(envelope: Envelope[ModelTrained], work: Work, artifacts: Artifacts) -> None:
    """Register the candidate and evaluate its gates. A run makes one version, even if its event is published again.

    Raises:
        PermanentError: the model, or the spec that it was trained on, is unknown.
        UnavailableError: the artifact store is unavailable.

    """
    trained = envelope.data
    model = await work.load_for_update(trained.model)
    if model is None and await work.spec_revision(trained.model):
        log.info("run %s ended after %s was removed: its candidate is ignored", trained.run_id, trained.model)
        await work.save_run(runs.trained(trained))
        return
    if model is None:
        unknown_model = UnknownModelError(trained.model)
        raise PermanentError(str(unknown_model)) from unknown_model
    await work.save_run(runs.trained(trained))
    if version := model.version_of_run(trained.run_id):
        log.info("run %s is version %d of %s already", trained.run_id, version.number, model.name)
        return
    spec = await work.spec(trained.model, trained.summary.spec_digest)
    if spec is None:
        unknown_spec = UnknownSpecError(trained.model, trained.summary.spec_digest)
        raise PermanentError(str(unknown_spec)) from unknown_spec
    champion = await _champion(model, spec, trained, artifacts)
    # The gates in force now apply, not those at the time of the request.
    results = (
        new_artifact(trained.digest, model),
        *await _check_artifact(trained, spec, artifacts),
        *await _evaluate(trained, model, champion, artifacts),
    )
    differs = await _other_answers(trained, model, work, artifacts)
    await work.save(register_candidate(model, Candidate(trained, results), spec, differs))


async def _check_artifact(trained: ModelTrained, spec: ModelSpec, artifacts: Artifacts) -> tuple[GateResult, ...]:
    try:
        content = await artifacts.get(trained.digest)
        await asyncio.to_thread(check_onnx, content, trained.size)
        await asyncio.to_thread(check_task, content, spec.task)
    except (ArtifactMissingError, ArtifactCorruptError, UnsoundArtifactError) as error:
        return (unsound_artifact(str(error)),)
    return ()


async def _evaluate(
    trained: ModelTrained, model: Model, champion: ComparedChampion | None, artifacts: Artifacts
) -> tuple[GateResult, ...]:
    try:
        evidence = await load_evidence(artifacts, trained.evidence)
    except UnusableEvidenceError as error:
        return (unusable_evidence(error.reason),)
    try:
        return evaluate_gates(evidence, model.spec.gates, champion)
    except UnknownTaskError as error:
        return (unusable_evidence(str(error)),)


async def _champion(
    model: Model, spec: ModelSpec, trained: ModelTrained, artifacts: Artifacts
) -> ComparedChampion | None:
    """Return the champion, and why it can't be scored. Its artifact is read only if the trainer did not score it."""
    champion = model.champion
    if champion is None:
        return None
    if not comparable(spec.features, champion.route().features):
        return ComparedChampion(champion.number, "it has other features")
    if trained.summary.champion_metrics is None:
        try:
            await artifacts.get(champion.digest)
        except (ArtifactMissingError, ArtifactCorruptError) as error:
            return ComparedChampion(champion.number, str(error))
    return ComparedChampion(champion.number)


async def _other_answers(trained: ModelTrained, model: Model, work: Work, artifacts: Artifacts) -> str:
    """Return how the kind of a candidate's answers differs from that of the champion it would be compared with."""
    champion = model.champion
    if champion is None or not is_compared(model.spec.rollout):
        return ""
    before = await work.candidate(model.name, champion.number)
    try:
        mine, theirs = [await load_evidence(artifacts, each.evidence) for each in (trained, before.trained)]
    except UnusableEvidenceError:
        return ""
    return other_answers(mine, theirs, champion.number)


async def on_replica_changed(envelope: Envelope[ReplicaChanged], work: Work) -> None:
    await on_replica_report.handle_report(work, envelope.data, datetime.now(UTC))


async def on_rollout_evidence(envelope: Envelope[RolloutEvidence], work: Work) -> None:
    """Add evidence to the active rollout, and decide about it."""
    await controller.take_evidence(work, envelope.data, datetime.now(UTC))
