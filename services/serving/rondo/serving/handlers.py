"""What a replica does when the deployment of a model changed: load, swap between micro-batches, unload."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rondo.chassis.telemetry import current_traceparent, span
from rondo.serving import lifecycle
from rondo.serving.errors import VersionRefusedError
from rondo.serving.versions import Serving, Version, Versions

if TYPE_CHECKING:
    from rondo.contracts.cloudevents import Envelope
    from rondo.contracts.deployment import DeploymentChanged
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

    Raises:
        UnavailableError: the artifact store is away; nothing was changed.

    """
    desired = envelope.data
    serving = replica.versions.current.get(desired.model)
    loaded = {(v.model_version, v.digest): v for v in serving.versions} if serving else {}
    plan = lifecycle.plan(desired, serving.revision if serving else 0, loaded)
    if plan is None:
        return
    with span("follow deployments.changed", envelope.traceparent, model=desired.model, revision=desired.revision):
        new = await _load(desired, plan, replica)
        if new is None:
            return
        await _swap(desired, {**loaded, **new}, plan, replica)
    await _unload(desired, plan, replica)


async def _load(
    desired: DeploymentChanged, plan: lifecycle.Plan, replica: Replica
) -> dict[tuple[int, str], Version] | None:
    """Load what is new; None when something was refused, which has been announced then."""
    new: dict[tuple[int, str], Version] = {}
    for route in plan.load or plan.keep[:1]:
        version = (route.model_version, route.digest)
        try:
            if why := lifecycle.fault(desired):
                raise VersionRefusedError(desired.model, route.model_version, why)
            if route in plan.load:
                await replica.announcer.announce(desired.model, desired.revision, version, "loading")
                new[version] = await replica.loader.load(desired.model, route)
        except VersionRefusedError as error:
            log.error("%s", error, extra={"model": desired.model, "revision": desired.revision})  # noqa: TRY400 - the message says it all
            if desired.model not in replica.versions.current:
                replica.versions.unserved[desired.model] = str(error)
            await replica.announcer.announce(desired.model, desired.revision, version, "refused", str(error))
            return None
    return new


async def _swap(
    desired: DeploymentChanged, versions: dict[tuple[int, str], Version], plan: lifecycle.Plan, replica: Replica
) -> None:
    routes = desired.routes
    chosen = tuple(versions[route.model_version, route.digest] for route in routes)
    shares, roles = tuple(route.share for route in routes), tuple(route.role for route in routes)
    replica.versions.swap(Serving(desired.model, desired.revision, chosen, shares, roles, current_traceparent()))
    for route in routes:
        version = (route.model_version, route.digest)
        await replica.announcer.announce(desired.model, desired.revision, version, "available")
    log.info(
        "%s is served by version %s", desired.model, ", ".join(str(v.model_version) for v in chosen),
        extra={"model": desired.model, "revision": desired.revision, "loaded": len(plan.load)},
    )  # fmt: skip


async def _unload(desired: DeploymentChanged, plan: lifecycle.Plan, replica: Replica) -> None:
    for version in plan.unload:
        await replica.announcer.announce(desired.model, desired.revision, version, "draining")
    await replica.versions.drained()
    for version in plan.unload:
        await replica.announcer.announce(desired.model, desired.revision, version, "unloaded")
