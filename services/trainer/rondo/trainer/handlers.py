"""One handler per event: load, decide, save. All that may start a training ends in `consider`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rondo.chassis.events.consumer import Routes
from rondo.contracts.events.data import BatchAccepted
from rondo.contracts.events.deployment import DeploymentChanged
from rondo.contracts.events.models import SpecApplied
from rondo.contracts.events.monitoring import DataQualityDegraded, DriftDetected, Finding, PerformanceDegraded
from rondo.contracts.events.training import TrainingRequested, Trigger
from rondo.contracts.vocabularies import TriggerKind
from rondo.trainer.triggers.handle_trigger import consider, reconsider

if TYPE_CHECKING:
    from rondo.contracts.events.cloudevents import Envelope
    from rondo.trainer.ports import Work

_WORST = 3


def routes() -> Routes[Work]:
    """Return the table from event to handler."""
    table: Routes[Work] = Routes()
    table.on(SpecApplied)(on_spec_applied)
    table.on(BatchAccepted)(on_batch_accepted)
    table.on(TrainingRequested)(on_training_requested)
    table.on(DriftDetected)(on_drift_detected)
    table.on(PerformanceDegraded)(on_performance_degraded)
    table.on(DataQualityDegraded)(on_data_quality_degraded)
    table.on(DeploymentChanged)(on_deployment_changed)
    return table


async def on_spec_applied(envelope: Envelope[SpecApplied], work: Work) -> None:
    """Keep the spec. What came before it found no model: train on the data that is there, or as was asked for."""
    applied = envelope.data
    await work.take_turn_of_dataset(applied.spec.data.dataset)
    await work.save_spec(applied)
    batch = await work.latest_batch(applied.spec.data.dataset)
    if batch is not None and not (await work.history(applied.model)).ever_trained:
        dataset = applied.spec.data.dataset
        trigger = Trigger(
            # With the spec in it: what a first spec could not train on, a mended one may.
            id=f"{dataset}/{batch.id}@{applied.digest}",
            kind=TriggerKind.DATA,
            at=batch.until,
            detail=f"a spec was applied, and {dataset} has data",
        )
        await consider(applied.model, trigger, work)
    await reconsider(applied.model, work)


async def on_batch_accepted(envelope: Envelope[BatchAccepted], work: Work) -> None:
    """Consider every model of the dataset."""
    accepted = envelope.data
    await work.take_turn_of_dataset(accepted.dataset)
    await work.save_batch(accepted)
    trigger = Trigger(
        id=f"{accepted.dataset}/{accepted.batch_id}",
        kind=TriggerKind.DATA,
        at=accepted.event_time_to,
        detail=f"batch {accepted.batch_id} brought {accepted.quality.accepted:,} rows",
    )
    for model in await work.models_of(accepted.dataset):
        await consider(model, trigger, work)


async def on_training_requested(envelope: Envelope[TrainingRequested], work: Work) -> None:
    """Consider what somebody, or a schedule, asked for."""
    await consider(envelope.data.model, envelope.data.trigger, work)


async def on_drift_detected(envelope: Envelope[DriftDetected], work: Work) -> None:
    """Consider drift of the inputs."""
    drifted = sorted(envelope.data.features, key=lambda feature: feature.psi, reverse=True)[:_WORST]
    detail = ", ".join(f"{f.feature} PSI {f.psi:.2f} (bound {f.threshold:.2f})" for f in drifted)
    await consider(envelope.data.model, _trigger(envelope.data, TriggerKind.DRIFT, detail), work)


async def on_performance_degraded(envelope: Envelope[PerformanceDegraded], work: Work) -> None:
    """Consider fallen performance."""
    event = envelope.data
    detail = f"{event.metric} {event.observed:.3f}, {event.reference:.3f} on the holdout"
    await consider(event.model, _trigger(event, TriggerKind.PERFORMANCE, detail), work)


async def on_data_quality_degraded(envelope: Envelope[DataQualityDegraded], work: Work) -> None:
    """Consider missing or never seen values."""
    detail = ", ".join(f"{p.feature} {p.observed:.0%} {p.problem}" for p in envelope.data.problems[:_WORST])
    await consider(envelope.data.model, _trigger(envelope.data, TriggerKind.QUALITY, detail), work)


async def on_deployment_changed(envelope: Envelope[DeploymentChanged], work: Work) -> None:
    """Keep who is champion: the next candidate is measured against it."""
    await work.save_champion(envelope.data)


def _trigger(finding: Finding, kind: TriggerKind, detail: str) -> Trigger:
    return Trigger(id=finding.finding_id, kind=kind, at=finding.window.end, detail=detail)
