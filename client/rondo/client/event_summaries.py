"""One line of text per event, for `rondo watch` and the live view of the demo."""

from __future__ import annotations

from functools import singledispatch
from typing import TYPE_CHECKING

from rondo.client.prediction import shown
from rondo.contracts.events.access import TokenChanged
from rondo.contracts.events.data import BatchAccepted, BatchRejected, OutcomesAccepted, SkewMeasured
from rondo.contracts.events.datasets import DatasetApplied, DatasetRemoved
from rondo.contracts.events.deployment import DeploymentChanged, ReplicaChanged, RolloutChanged
from rondo.contracts.events.models import (
    ModelPromoted,
    ModelRegistered,
    ModelRejected,
    ModelRemoved,
    ModelRetired,
    ModelRolledBack,
    SpecApplied,
)
from rondo.contracts.events.monitoring import (
    AlertRaised,
    AlertResolved,
    DataQualityDegraded,
    DriftDetected,
    LabelsWanted,
    PerformanceDegraded,
    PerformanceSuspected,
    RolloutEvidence,
    WindowClosed,
    described,
    described_harm,
)
from rondo.contracts.events.predictions import OutcomeObserved, PredictionMade, PredictionRequested
from rondo.contracts.events.scoring import ScoringEnded, ScoringRequested
from rondo.contracts.events.training import (
    ModelTrained,
    TrainingFailed,
    TrainingProgressed,
    TrainingRequested,
    TrainingSkipped,
    TrainingStarted,
)
from rondo.contracts.figures import figure
from rondo.contracts.tasks.registry import headline
from rondo.contracts.vocabularies import StatisticName, WindowRole

if TYPE_CHECKING:
    from rondo.contracts.events.base import Event


_SHOWN = 3  # statistics of a finding that are shown


@singledispatch
def summarize(event: Event) -> str:
    """Return a line without the event's key. An event without a summary gets the first line of its docstring."""
    return (type(event).__doc__ or type(event).__name__).splitlines()[0]


@summarize.register
def _(event: TokenChanged) -> str:
    state = "is revoked" if event.revoked_at else f"has the roles {', '.join(event.roles)}"
    return f"token of {event.name} {state}"


@summarize.register
def _(event: SpecApplied) -> str:
    return f"spec {event.revision} applied, {len(event.spec.features)} features"


@summarize.register
def _(event: ModelRemoved) -> str:
    return f"the model was removed, decided by {event.decided_by}"


@summarize.register
def _(event: DatasetApplied) -> str:
    changes = f": {'; '.join(change.message for change in event.changes)}" if event.changes else ""
    return f"dataset spec {event.revision} applied, {len(event.spec.columns)} columns{changes}"


@summarize.register
def _(event: DatasetRemoved) -> str:
    return f"the dataset is no longer declared, decided by {event.decided_by}"


@summarize.register
def _(event: BatchAccepted) -> str:
    return f"batch {event.batch_id}: {event.rows.accepted:,} rows accepted, {event.rows.quarantined:,} quarantined"


@summarize.register
def _(event: BatchRejected) -> str:
    return f"batch {event.batch_id} rejected: {'; '.join(event.reasons)}"


@summarize.register
def _(event: OutcomesAccepted) -> str:
    return f"{event.rows:,} outcomes, {event.joined:,} of them joined with predictions"


@summarize.register
def _(event: SkewMeasured) -> str:
    differing = [f"{each.feature} of {each.differing:,}" for each in event.features[:_SHOWN]]
    found = f"published differently: {', '.join(differing)}" if differing else "no value was published differently"
    return f"batch {event.batch_id}: {event.joined:,} of {event.served:,} predictions are in it, {found}"


@summarize.register
def _(event: ScoringRequested) -> str:
    what = f"version {event.data_version} of {event.dataset}"
    return f"{event.requested_by} asks version {event.model_version} to score {what}, job {event.job}"


@summarize.register
def _(event: ScoringEnded) -> str:
    if event.scores is None:
        return f"scoring job {event.job} {event.state}: {event.reason}"
    return (
        f"scoring job {event.job} {event.state}: {event.rows:,} rows, {event.refused:,} refused, {event.scores.table}"
    )


@summarize.register
def _(event: TrainingRequested) -> str:
    what = "registration" if event.trigger.artifact else "training"
    return f"{what} requested by {event.requested_by}: {event.trigger.detail}"


@summarize.register
def _(event: TrainingStarted) -> str:
    return f"training because of {event.trigger.kind}"


@summarize.register
def _(event: TrainingProgressed) -> str:
    return event.detail


@summarize.register
def _(event: TrainingSkipped) -> str:
    return f"no training ({event.reason.replace('_', ' ')}): {event.detail}"


@summarize.register
def _(event: TrainingFailed) -> str:
    return f"training failed: {event.reason}"


@summarize.register
def _(event: ModelTrained) -> str:
    summary = event.summary
    metric = headline(summary.task, summary.metrics) or "no metric"
    noted = "".join(f"; note: {note.message}" for note in summary.notes)
    relied = ", ".join(each.feature for each in summary.importance[:_SHOWN])
    origin = "made elsewhere" if event.trigger.artifact else f"on {summary.rows_trained:,} rows"
    return f"candidate {origin}, {metric} on its holdout{f'; relies most on {relied}' if relied else ''}{noted}"


@summarize.register
def _(event: ModelRegistered) -> str:
    return f"version {event.model_version} registered"


@summarize.register
def _(event: ModelRejected) -> str:
    return f"version {event.model_version} rejected: {'; '.join(g.message for g in event.gates if not g.passed)}"


@summarize.register
def _(event: ModelPromoted) -> str:
    return f"version {event.model_version} is the champion, decided by {event.decided_by}"


@summarize.register
def _(event: ModelRolledBack) -> str:
    return f"rolled back from version {event.from_version} to {event.to_version}: {event.reason}"


@summarize.register
def _(event: ModelRetired) -> str:
    return f"version {event.model_version} retired"


@summarize.register
def _(event: DeploymentChanged) -> str:
    routes = ", ".join(f"version {route.model_version} {route.share:.0%}" for route in event.routes)
    return f"deployment {event.revision}: {routes or 'nothing'}"


@summarize.register
def _(event: ReplicaChanged) -> str:
    return f"replica {event.replica}: version {event.model_version} {event.state} {event.detail}".rstrip()


@summarize.register
def _(event: RolloutChanged) -> str:
    verdict = f" ({event.verdict})" if event.verdict else ""
    return (
        f"rollout of version {event.candidate} beside {event.champion}: {event.state}{verdict}, "
        f"answers {event.share:.0%}, {event.answers} so far"
    )


@summarize.register
def _(event: RolloutEvidence) -> str:
    rows = sum(block.rows for block in event.blocks)
    scored = sum(minute.other_scored for minute in event.minutes)
    return f"version {event.other} compared with {event.primary}: {rows} outcomes, {scored} scored"


@summarize.register
def _(event: DriftDetected) -> str:
    harm = described_harm(event)
    return f"version {event.model_version} drifts: {event.described(_SHOWN)}{'; ' * bool(harm)}{harm}"


@summarize.register
def _(event: PerformanceDegraded) -> str:
    return f"version {event.model_version} declined: {event.described(_SHOWN)}"


@summarize.register
def _(event: PerformanceSuspected) -> str:
    return f"version {event.model_version} may have declined since {event.since:%d %b %Y}: {event.described(_SHOWN)}"


@summarize.register
def _(event: DataQualityDegraded) -> str:
    return f"data quality: {event.described(_SHOWN)}"


@summarize.register
def _(event: WindowClosed) -> str:
    distances = [each for each in event.statistics if each.statistic == StatisticName.PSI]
    worst = max(distances, key=lambda each: each.value, default=None)
    drift = f", most drifted {described(worst)}" if worst else ""
    judged = event.no_verdict is None or event.role == WindowRole.REPLACED
    no_verdict = "" if judged else f", no verdict: {event.no_verdict}"
    left_out = f", without {event.statistics_left_out:,} of its statistics" if event.statistics_left_out else ""
    replaced = f" of version {event.model_version}, replaced" if event.role == WindowRole.REPLACED else ""
    return f"window to {event.window.end:%d %b}{replaced}: {event.window.rows:,} rows{drift}{no_verdict}{left_out}"


@summarize.register
def _(event: LabelsWanted) -> str:
    return f"{len(event.wanted):,} outcomes wanted of the {event.window.rows:,} rows to {event.window.end:%d %b %H:%M}"


@summarize.register
def _(event: AlertRaised) -> str:
    return f"{event.severity}: {event.title}: {event.detail}"


@summarize.register
def _(event: AlertResolved) -> str:
    return f"resolved: {event.detail}"


@summarize.register
def _(event: PredictionRequested) -> str:
    return f"request {event.id}" + (f" about {event.entity}" if event.entity else "")


@summarize.register
def _(event: PredictionMade) -> str:
    return f"request {event.id} answered by version {event.model_version}: {shown(event.output)}"


@summarize.register
def _(event: OutcomeObserved) -> str:
    outcome = figure(event.outcome) if isinstance(event.outcome, float) else event.outcome
    return f"the outcome of {event.entity or event.id} is {outcome}"
