"""Handlers of control plane events: they store the spec, the profile and the champion of each model.

The pipeline reads the stored values when `ChangeSignal` is set.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from rondo.chassis.errors import PermanentError
from rondo.chassis.training_evidence import UnusableEvidenceError, load_evidence
from rondo.contracts.events.data import SkewMeasured
from rondo.contracts.events.deployment import DeploymentChanged, RolloutChanged
from rondo.contracts.events.models import ModelRemoved, SpecApplied
from rondo.contracts.events.training import ModelTrained
from rondo.contracts.tasks.registry import UnknownTaskError, task_named
from rondo.contracts.vocabularies import AlertKind, RouteRole
from rondo.monitor.alerts import undecided_rollout
from rondo.monitor.ports import ChampionRevision, Work

if TYPE_CHECKING:
    from rondo.chassis.artifacts import Artifacts
    from rondo.chassis.events.consumer import Handlers
    from rondo.contracts.events.cloudevents import Envelope

log = logging.getLogger(__name__)


def event_handlers(artifacts: Artifacts) -> Handlers[Work]:

    async def trained(envelope: Envelope[ModelTrained], work: Work) -> None:
        await on_model_trained(envelope, work, artifacts)

    return {
        SpecApplied: on_spec_applied,
        ModelRemoved: on_model_removed,
        ModelTrained: trained,
        DeploymentChanged: on_deployment_changed,
        RolloutChanged: on_rollout_changed,
        SkewMeasured: on_skew_measured,
    }


async def on_spec_applied(envelope: Envelope[SpecApplied], work: Work) -> None:
    """Store the spec. Its false-alarm rate and windows apply from now on."""
    event = envelope.data
    await work.save_spec(event.model, event.revision, event.spec)


async def on_model_removed(envelope: Envelope[ModelRemoved], work: Work) -> None:
    """Delete the spec, so that no window of the model is evaluated any more. End the alerts about undecided rollouts.

    These are the alerts of rollouts up to the removal, also if a spec that was applied later is stored already.
    """
    model = envelope.data.model
    await work.save_spec(model, envelope.data.revision, None, envelope.time)
    opened = await work.open_alerts(model, AlertKind.UNDECIDED_ROLLOUT, envelope.time)
    await work.announce(undecided_rollout.ended(model, opened, envelope.time))
    await work.save_skew(model, (await work.skew(model)).cleared())


async def on_model_trained(envelope: Envelope[ModelTrained], work: Work, artifacts: Artifacts) -> None:
    """Store the profile in the candidate's evidence under its artifact's digest, whether or not it is promoted later.

    Raises:
        PermanentError: the evidence can't be used, and the registry rejects the candidate. Or its task is unknown, and
            its rows count in no window.
        UnavailableError: the artifact store is unavailable.

    """
    try:
        evidence = await load_evidence(artifacts, envelope.data.evidence)
        task_named(evidence.profile.task.task)
    except (UnusableEvidenceError, UnknownTaskError) as error:
        raise PermanentError(str(error)) from error
    await work.save_profile(envelope.data.digest, evidence.profile)


async def on_deployment_changed(envelope: Envelope[DeploymentChanged], work: Work) -> None:
    """Store the champion. A deployment without a champion keeps the previous one."""
    event = envelope.data
    for route in event.routes:
        if route.role == RouteRole.PRIMARY:
            await work.save_champion(event.model, ChampionRevision(event.revision, route.model_version, route.digest))


async def on_rollout_changed(envelope: Envelope[RolloutChanged], work: Work) -> None:
    """Open an alert while a rollout waits for a person's decision, and end it with the next change."""
    event = envelope.data
    opened = await work.open_alerts(event.model, AlertKind.UNDECIDED_ROLLOUT)
    found = undecided_rollout.look(event, opened, removed=await work.is_removed(event.model, event.at))
    await work.announce(found)
    for each in found:
        log.info("%s: %s: the rollout of version %d is %s", event.model, each.event_id, event.candidate, event.state)


async def on_skew_measured(envelope: Envelope[SkewMeasured], work: Work) -> None:
    """Store the comparison of a batch with the served values, with those of the newest batches before it."""
    model = envelope.data.model
    await work.save_skew(model, (await work.skew(model)).plus(envelope.data))
