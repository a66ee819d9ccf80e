"""Plans the application of a deployment: the versions to load, and the versions to unload afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rondo.contracts.spec.common_features import NoCommonRequestsError, common_features
from rondo.contracts.vocabularies import RouteRole, UnknownFields

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from rondo.contracts.events.deployment import DeploymentChanged, Route
    from rondo.serving.outputs.schema import OutputSchema

_ANSWERING = (RouteRole.PRIMARY, RouteRole.CANARY)
_ALIKE = "versions that share a model's traffic must answer alike: train again with the spec in force"
_COMPARED = 2  # versions of a rollout


@dataclass(frozen=True, slots=True)
class DeploymentPlan:
    """The versions to load before the swap to the deployment's routes, and those to unload after it.

    A version to unload is given by its number and digest.
    """

    load: tuple[Route, ...]
    unload: tuple[tuple[int, str], ...]


def plan(desired: DeploymentChanged, revision: int, loaded: Collection[tuple[int, str]]) -> DeploymentPlan | None:
    """Return the plan from the loaded versions to the desired ones.

    None if `revision` is already at the desired revision. The topic is read at least once and ordered per key, so a
    revision that is not above the current one is a repeat.
    """
    if desired.revision <= revision:
        return None
    wanted = {(route.model_version, route.digest) for route in desired.routes}
    load = tuple(route for route in desired.routes if (route.model_version, route.digest) not in loaded)
    return DeploymentPlan(load, tuple(sorted(version for version in loaded if version not in wanted)))


def unknown_fields(route: Route) -> UnknownFields:
    """Return the treatment of requests with unknown features or fields. An unknown word counts as absent."""
    word = route.unknown_fields
    if word is not None and word in list(UnknownFields):
        return UnknownFields(word)
    return UnknownFields.IGNORE if route.ignore_unknown_fields else UnknownFields.REFUSE


def unsupported(desired: DeploymentChanged) -> tuple[int, str] | None:
    """Return the version because of which a deployment can't be applied, and the reason. None if it can."""
    first = desired.routes[0].model_version
    known = _ANSWERING if desired.evidence is None else (*_ANSWERING, RouteRole.SHADOW)
    if other := next((route for route in desired.routes if route.role not in known), None):
        # A version that is reported as available but never scores would pass as a shadow without any disagreement.
        return (
            other.model_version,
            f"its role is {other.role}, which is not executed without a rollout: deploy without it",
        )
    if desired.evidence is not None and (problem := _not_comparable(desired)):
        return first, problem
    if not any(route.share > 0 for route in desired.routes):
        return first, "no route has a share above zero: deploy a champion"
    if any(not route.features for route in desired.routes):
        return first, "a route names no features: train again with the spec in force"
    try:
        common_features({route.model_version: route.features for route in desired.routes})
    except NoCommonRequestsError as error:
        return error.versions[1], str(error)
    return None


def _not_comparable(desired: DeploymentChanged) -> str | None:
    roles = [route.role for route in desired.routes]
    if len(roles) == _COMPARED and roles.count(RouteRole.PRIMARY) == 1:
        return None
    return f"a rollout compares a primary with one other version, not {', '.join(roles)}: deploy these two"


def answering_otherwise(
    desired: DeploymentChanged, outputs: Mapping[tuple[int, str], OutputSchema]
) -> tuple[int, str] | None:
    """Return the version whose outputs differ from those of the first route, and the reason. None if all are equal.

    `outputs` has the outputs of every version of the deployment, as in the artifacts.
    """
    first, *others = desired.routes
    mine = outputs[first.model_version, first.digest]
    for route in others:
        if reason := outputs[route.model_version, route.digest].difference(mine, first.model_version):
            return route.model_version, f"{reason}; {_ALIKE}"
    return None
