"""Applies the deployment of a model: loads versions, swaps between two micro-batches, unloads versions."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rondo.chassis.telemetry import current_traceparent, span
from rondo.contracts.vocabularies import EvidenceScope, LogDelivery, ReplicaState, RouteRole
from rondo.serving import metrics
from rondo.serving.deployments import plan as planning
from rondo.serving.errors import VersionRefusedError
from rondo.serving.models.common_requests import with_common_requests
from rondo.serving.models.loaded_version import Compared, LoadedVersion, ServedModel

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rondo.contracts.events.cloudevents import Envelope
    from rondo.contracts.events.deployment import DeploymentChanged
    from rondo.serving.models.serving_table import ServedModels
    from rondo.serving.ports import Loader, ReplicaEvents

    # Versions by number and digest.
    Versions = Mapping[tuple[int, str], LoadedVersion]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Replica:
    """The objects that the handlers of this replica use."""

    models: ServedModels
    loader: Loader
    events: ReplicaEvents


async def on_deployment_changed(envelope: Envelope[DeploymentChanged], replica: Replica) -> None:
    """Apply a deployment. If one of its versions is refused, the current versions continue to serve.

    A deployment without routes withdraws the model. Its requests are then refused.

    Raises:
        UnavailableError: the artifact store is unavailable. Nothing was changed.

    """
    desired = envelope.data
    served = replica.models.table.models.get(desired.model)
    loaded = {(v.model_version, v.digest): v for v in served.versions} if served else {}
    plan = planning.plan(desired, replica.models.revision(desired.model), loaded)
    if plan is None:
        return
    with span("follow deployments.changed", envelope.traceparent, model=desired.model, revision=desired.revision):
        if not desired.routes:
            _withdraw(desired, replica)
        elif (versions := await _load(desired, loaded, plan, replica)) is not None:
            await _swap(desired, versions, plan, replica)
        else:
            return
    metrics.REFUSED_VERSION.labels(desired.model).set(0)
    await _unload(desired, plan, replica)


def _withdraw(desired: DeploymentChanged, replica: Replica) -> None:
    reason = (
        f"{desired.model} was withdrawn: no version answers; ask its owner to promote one, after `rondo apply` if the "
        "model was removed, or name another model"
    )
    replica.models.withdraw(desired.model, desired.revision, reason)
    log.info("%s is withdrawn", desired.model, extra={"model": desired.model, "revision": desired.revision})


async def _load(
    desired: DeploymentChanged, loaded: Versions, plan: planning.DeploymentPlan, replica: Replica
) -> Versions | None:
    """Return the loaded versions and the new ones. None if one was refused, which has then been published."""
    versions = dict(loaded)
    try:
        if problem := planning.unsupported(desired):
            raise VersionRefusedError(desired.model, *problem)
        for route in plan.load:
            version = (route.model_version, route.digest)
            await replica.events.publish(desired.model, desired.revision, version, ReplicaState.LOADING)
            versions[version] = await replica.loader.load(desired.model, route)
        outputs = {version: each.outputs for version, each in versions.items()}
        if problem := planning.answering_otherwise(desired, outputs):
            raise VersionRefusedError(desired.model, *problem)
    except VersionRefusedError as error:
        await _refuse(desired, error, replica)
        return None
    return versions


async def _refuse(desired: DeploymentChanged, error: VersionRefusedError, replica: Replica) -> None:
    log.error("%s", error, extra={"model": desired.model, "revision": desired.revision})
    metrics.REFUSED_VERSION.labels(desired.model).set(error.model_version)
    reason = f"no version of {desired.model} could be loaded: {error}; send the request again when one is available"
    replica.models.refuse(desired.model, reason)
    digest = next(route.digest for route in desired.routes if route.model_version == error.model_version)
    version = (error.model_version, digest)
    await replica.events.publish(desired.model, desired.revision, version, ReplicaState.REFUSED, str(error))


async def _swap(
    desired: DeploymentChanged, versions: Versions, plan: planning.DeploymentPlan, replica: Replica
) -> None:
    routes = desired.routes
    chosen = tuple(
        versions[route.model_version, route.digest]
        .answering(planning.unknown_fields(route))
        .in_role(route.role, route.share if route.role == RouteRole.CANARY else None)
        for route in routes
    )
    for each, route in zip(chosen, routes, strict=True):
        each.cache.capacity = route.answer_cache_rows
    chosen, common = with_common_requests(chosen)
    shares = tuple(route.share for route in routes)
    compared = _compared(chosen, desired.evidence) if desired.evidence is not None else None
    buffered = all(route.log == LogDelivery.BUFFERED for route in routes)
    replica.models.swap(
        ServedModel(
            desired.model, desired.revision, chosen, shares, current_traceparent(), compared, buffered, common,
            deduplicate=routes[0].deduplicate,
        )
    )  # fmt: skip
    for route in routes:
        version = (route.model_version, route.digest)
        await replica.events.publish(desired.model, desired.revision, version, ReplicaState.AVAILABLE)
    log.info(
        "%s is served by version %s", desired.model, ", ".join(str(v.model_version) for v in chosen),
        extra={"model": desired.model, "revision": desired.revision, "loaded": len(plan.load)},
    )  # fmt: skip


def _compared(chosen: Sequence[LoadedVersion], evidence: str) -> Compared:
    primary = next(version for version in chosen if version.log.role == RouteRole.PRIMARY)
    other = next(version for version in chosen if version is not primary)
    return Compared(primary, other, other.in_role(RouteRole.SHADOW), all_rows=evidence != EvidenceScope.CANARY)


async def _unload(desired: DeploymentChanged, plan: planning.DeploymentPlan, replica: Replica) -> None:
    for version in plan.unload:
        await replica.events.publish(desired.model, desired.revision, version, ReplicaState.DRAINING)
    await replica.models.drained()
    for version in plan.unload:
        await replica.events.publish(desired.model, desired.revision, version, ReplicaState.UNLOADED)
