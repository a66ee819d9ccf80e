"""What a replica does when the deployment of a model changed: load, swap between micro-batches, unload."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rondo.chassis.telemetry import current_traceparent, span
from rondo.contracts.vocabularies import ReplicaState
from rondo.serving import metrics
from rondo.serving.deployments import plan as lifecycle
from rondo.serving.errors import VersionRefusedError
from rondo.serving.models.loaded_version import Serving, Version

if TYPE_CHECKING:
    from rondo.contracts.events.cloudevents import Envelope
    from rondo.contracts.events.deployment import DeploymentChanged
    from rondo.serving.models.table import Versions
    from rondo.serving.ports import Announcer, Loader

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Replica:
    """What the handlers of this replica work on."""

    versions: Versions
    loader: Loader
    announcer: Announcer


async def on_deployment_changed(envelope: Envelope[DeploymentChanged], replica: Replica) -> None:
    """Follow the deployment. If a version of it is refused, what serves now goes on serving.

    A deployment without routes withdraws the model: its requests are refused from then on.

    Raises:
        UnavailableError: the artifact store is away; nothing was changed.

    """
    desired = envelope.data
    serving = replica.versions.current.get(desired.model)
    loaded = {(v.model_version, v.digest): v for v in serving.versions} if serving else {}
    plan = lifecycle.plan(desired, replica.versions.revision(desired.model), loaded)
    if plan is None:
        return
    with span("follow deployments.changed", envelope.traceparent, model=desired.model, revision=desired.revision):
        if not desired.routes:
            _withdraw(desired, replica)
        elif (new := await _load(desired, plan, replica)) is not None:
            await _swap(desired, {**loaded, **new}, plan, replica)
        else:
            return
    metrics.REFUSED_VERSION.labels(desired.model).set(0)
    await _unload(desired, plan, replica)


def _withdraw(desired: DeploymentChanged, replica: Replica) -> None:
    why = f"{desired.model} was withdrawn: no version answers; ask its owner to promote one, or name another model"
    replica.versions.withdraw(desired.model, desired.revision, why)
    log.info("%s is withdrawn", desired.model, extra={"model": desired.model, "revision": desired.revision})


async def _load(
    desired: DeploymentChanged, plan: lifecycle.Plan, replica: Replica
) -> dict[tuple[int, str], Version] | None:
    """Load what is new; None when something was refused, which has been announced then."""
    new: dict[tuple[int, str], Version] = {}
    try:
        if fault := lifecycle.fault(desired):
            raise VersionRefusedError(desired.model, *fault)
        for route in plan.load:
            version = (route.model_version, route.digest)
            await replica.announcer.announce(desired.model, desired.revision, version, ReplicaState.LOADING)
            new[version] = await replica.loader.load(desired.model, route)
    except VersionRefusedError as error:
        await _refuse(desired, error, replica)
        return None
    return new


async def _refuse(desired: DeploymentChanged, error: VersionRefusedError, replica: Replica) -> None:
    log.error("%s", error, extra={"model": desired.model, "revision": desired.revision})
    metrics.REFUSED_VERSION.labels(desired.model).set(error.model_version)
    if desired.model not in replica.versions.current:
        replica.versions.unserved[desired.model] = (
            f"no version of {desired.model} could be loaded: {error}; send the request again when one is available"
        )
    digest = next(route.digest for route in desired.routes if route.model_version == error.model_version)
    version = (error.model_version, digest)
    await replica.announcer.announce(desired.model, desired.revision, version, ReplicaState.REFUSED, str(error))


async def _swap(
    desired: DeploymentChanged, versions: dict[tuple[int, str], Version], plan: lifecycle.Plan, replica: Replica
) -> None:
    routes = desired.routes
    chosen = tuple(versions[route.model_version, route.digest] for route in routes)
    shares = tuple(route.share for route in routes)
    replica.versions.swap(Serving(desired.model, desired.revision, chosen, shares, current_traceparent()))
    for route in routes:
        version = (route.model_version, route.digest)
        await replica.announcer.announce(desired.model, desired.revision, version, ReplicaState.AVAILABLE)
    log.info(
        "%s is served by version %s", desired.model, ", ".join(str(v.model_version) for v in chosen),
        extra={"model": desired.model, "revision": desired.revision, "loaded": len(plan.load)},
    )  # fmt: skip


async def _unload(desired: DeploymentChanged, plan: lifecycle.Plan, replica: Replica) -> None:
    for version in plan.unload:
        await replica.announcer.announce(desired.model, desired.revision, version, ReplicaState.DRAINING)
    await replica.versions.drained()
    for version in plan.unload:
        await replica.announcer.announce(desired.model, desired.revision, version, ReplicaState.UNLOADED)
