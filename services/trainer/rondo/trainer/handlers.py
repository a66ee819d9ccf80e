"""One handler per event: load, decide, save. Every event that may start a training becomes a trigger."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rondo.contracts.events.data import BatchAccepted
from rondo.contracts.events.deployment import DeploymentChanged
from rondo.contracts.events.models import ModelRemoved, ModelRolledBack, SpecApplied
from rondo.contracts.events.monitoring import (
    DataQualityDegraded,
    DriftDetected,
    Finding,
    PerformanceDegraded,
    PerformanceSuspected,
    WindowClosed,
)
from rondo.contracts.events.training import TrainingRequested, Trigger
from rondo.contracts.vocabularies import QualityProblem, StatisticName, TriggerKind
from rondo.trainer.triggers.handle_trigger import (
    handle_deferred_triggers,
    handle_new_labels,
    handle_trigger,
)

if TYPE_CHECKING:
    from rondo.chassis.events.consumer import Handlers
    from rondo.contracts.events.cloudevents import Envelope
    from rondo.contracts.spec.model import ModelSpec
    from rondo.trainer.ports import UnitOfWork

# A trigger's detail names at most this many statistics, the worst first.
_NAMED_STATISTICS = 3


def event_handlers() -> Handlers[UnitOfWork]:
    return {
        SpecApplied: on_spec_applied,
        ModelRemoved: on_model_removed,
        BatchAccepted: on_batch_accepted,
        TrainingRequested: on_training_requested,
        DriftDetected: on_drift_detected,
        PerformanceDegraded: on_performance_degraded,
        PerformanceSuspected: on_performance_suspected,
        WindowClosed: on_window_closed,
        DataQualityDegraded: on_data_quality_degraded,
        DeploymentChanged: on_deployment_changed,
        ModelRolledBack: on_model_rolled_back,
    }


async def on_spec_applied(envelope: Envelope[SpecApplied], work: UnitOfWork) -> None:
    """Save the spec, and train if data or a request arrived before it: topics have no order between them."""
    applied = envelope.data
    await work.lock_dataset(applied.spec.data.dataset)
    await work.lock_model(applied.model)
    await work.save_spec(applied)
    await _train_on_existing_data(applied.model, applied.spec, work)
    await handle_deferred_triggers(applied.model, work)


async def on_model_removed(envelope: Envelope[ModelRemoved], work: UnitOfWork) -> None:
    """Delete the spec and the runs, and end a run in flight. A spec that is applied afterwards makes a new model.

    That spec may arrive before the removal, because topics have no order between them.
    """
    model = envelope.data.model
    if (known := await work.spec(model)) is not None:
        await work.lock_dataset(known.data.dataset)
    await work.lock_model(model)
    await work.remove_spec(envelope.data)
    spec = await work.spec(model)
    if spec is None:
        await work.pop_deferred(model)
    else:
        await _train_on_existing_data(model, spec, work)


async def _train_on_existing_data(model: str, spec: ModelSpec, work: UnitOfWork) -> None:
    """Train a model that has not been trained, if its dataset has data. The caller holds the locks of both."""
    dataset = spec.data.dataset
    batch = await work.latest_batch(dataset)
    history = await work.history(model)
    if batch is None or history.ever_trained:
        return
    trigger = Trigger(
        # The id has the digest, so that a corrected spec trains after the first one failed. It has the revision of the
        # removal, so that the same spec trains again after it.
        id=f"{dataset}/{batch.id}@{spec.digest}@{history.removed_revision}",
        kind=TriggerKind.DATA,
        at=batch.until,
        detail=f"a spec was applied, and {dataset} has data",
    )
    await handle_trigger(model, trigger, work)


async def on_batch_accepted(envelope: Envelope[BatchAccepted], work: UnitOfWork) -> None:
    accepted = envelope.data
    await work.lock_dataset(accepted.dataset)
    await work.save_batch(accepted)
    for model in await work.models_of(accepted.dataset):
        await work.lock_model(model)
        await work.count_labels(model, accepted.rows.accepted)
        await _consider_batch(model, accepted, work)


async def _consider_batch(model: str, accepted: BatchAccepted, work: UnitOfWork) -> None:
    """Train on the first data. With `policy: auto` later batches count as new labels.

    The caller holds the lock of the model.
    """
    spec = await work.spec(model)
    first = not (await work.history(model)).ever_trained
    by_labels = spec is not None and spec.retrain.is_automatic and not first
    trigger = Trigger(
        id=f"{accepted.dataset}/{accepted.batch_id}",
        kind=TriggerKind.NEW_LABELS if by_labels else TriggerKind.DATA,
        at=accepted.event_time_to,
        detail=f"batch {accepted.batch_id} has {accepted.rows.accepted:,} rows",
    )
    if by_labels:
        await handle_new_labels(model, trigger, work, quiet=False)
    else:
        await handle_trigger(model, trigger, work)


async def on_window_closed(envelope: Envelope[WindowClosed], work: UnitOfWork) -> None:
    """Count the predictions of a closed window whose outcome is known."""
    closed = envelope.data
    if not closed.labelled_rows:
        return
    await work.lock_model(closed.model)
    await work.count_labels(closed.model, closed.labelled_rows)
    trigger = Trigger(
        id=f"labels/{closed.finding_id}",
        kind=TriggerKind.NEW_LABELS,
        at=closed.window.end,
        detail=f"{closed.labelled_rows:,} predictions of the window have outcomes",
    )
    await handle_new_labels(closed.model, trigger, work, quiet=True)


async def on_training_requested(envelope: Envelope[TrainingRequested], work: UnitOfWork) -> None:
    await handle_trigger(envelope.data.model, envelope.data.trigger, work)


async def on_drift_detected(envelope: Envelope[DriftDetected], work: UnitOfWork) -> None:
    await _handle_finding(envelope.data, TriggerKind.DRIFT, work)


async def on_performance_degraded(envelope: Envelope[PerformanceDegraded], work: UnitOfWork) -> None:
    await _handle_finding(envelope.data, TriggerKind.PERFORMANCE, work)


async def on_performance_suspected(envelope: Envelope[PerformanceSuspected], work: UnitOfWork) -> None:
    """Check a suspicion with `policy: auto`. Other policies skip it: its rate of false alarms is not bounded."""
    if await work.spec(envelope.data.model) is not None:
        await _handle_finding(envelope.data, TriggerKind.SUSPICION, work)


async def on_data_quality_degraded(envelope: Envelope[DataQualityDegraded], work: UnitOfWork) -> None:
    """Trigger a training for a finding about values. A stream that stopped has no new rows to train on."""
    if envelope.data.problem == QualityProblem.VALUES:
        await _handle_finding(envelope.data, TriggerKind.QUALITY, work)


async def on_deployment_changed(envelope: Envelope[DeploymentChanged], work: UnitOfWork) -> None:
    """Save the champion, which the next candidate is compared with."""
    await work.save_champion(envelope.data, envelope.time)


async def on_model_rolled_back(envelope: Envelope[ModelRolledBack], work: UnitOfWork) -> None:
    """Save the version that was withdrawn. No ensemble uses its model, unless it becomes the champion again."""
    await work.save_rollback(envelope.data, envelope.time)


async def _handle_finding(finding: Finding, kind: TriggerKind, work: UnitOfWork) -> None:
    """Handle a finding. The monitor publishes it repeatedly while it lasts, within a second while it catches up."""
    await handle_trigger(finding.model, _trigger(finding, kind), work, repeated=True)


def _trigger(finding: Finding, kind: TriggerKind) -> Trigger:
    detail = finding.described(_NAMED_STATISTICS)
    return Trigger(
        id=finding.finding_id,
        kind=kind,
        at=finding.window.end,
        detail=detail,
        since=finding.since,
        model_version=finding.model_version,
        loss_rise=_loss_rise(finding),
        rows_since=finding.window.rows,
    )


def _loss_rise(finding: Finding) -> float | None:
    """Return the rise of the mean loss of all rows. None if it is not known, for example of a finding about slices."""
    risen = (
        each.value - each.reference
        for each in finding.statistics
        if each.statistic == StatisticName.LOSS and each.feature is None and each.reference is not None
    )
    return next(risen, None)
