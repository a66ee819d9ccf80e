"""What the monitor keeps of the control plane: the spec, the profile and the champion of each model.

The watching reads them when it is told that they changed; the decisions are its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rondo.chassis.events.consumer import Routes
from rondo.contracts.events.deployment import DeploymentChanged
from rondo.contracts.events.models import SpecApplied
from rondo.contracts.events.training import ModelTrained
from rondo.contracts.vocabularies import Role
from rondo.monitor.detectors.reference import Profiled
from rondo.monitor.ports import Champion, Work

if TYPE_CHECKING:
    from rondo.contracts.events.cloudevents import Envelope


def routes() -> Routes[Work]:
    """Return the table from event to handler."""
    table: Routes[Work] = Routes()
    table.on(SpecApplied)(on_spec_applied)
    table.on(ModelTrained)(on_model_trained)
    table.on(DeploymentChanged)(on_deployment_changed)
    return table


async def on_spec_applied(envelope: Envelope[SpecApplied], work: Work) -> None:
    """Keep the spec: its windows and thresholds hold from now on."""
    event = envelope.data
    await work.save_spec(event.model, event.revision, event.spec)


async def on_model_trained(envelope: Envelope[ModelTrained], work: Work) -> None:
    """Keep the candidate's profile by the artifact's digest, whether it is ever promoted or not."""
    await work.save_profile(envelope.data.digest, Profiled.of(envelope.data.evidence))


async def on_deployment_changed(envelope: Envelope[DeploymentChanged], work: Work) -> None:
    """Keep who is champion; a deployment without one leaves the last in force."""
    event = envelope.data
    for route in event.routes:
        if route.role == Role.PRIMARY:
            await work.save_champion(event.model, Champion(event.revision, route.model_version, route.digest))
