"""From what should serve to what must be done: which versions to load, and which are then no longer needed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rondo.contracts.vocabularies import Role

if TYPE_CHECKING:
    from collections.abc import Collection

    from rondo.contracts.events.deployment import DeploymentChanged, Route


_ANSWERING = (Role.PRIMARY, Role.CANARY)


@dataclass(frozen=True, slots=True)
class Plan:
    """Load these, swap to the deployment's routes, then unload those (as version and digest)."""

    load: tuple[Route, ...]
    unload: tuple[tuple[int, str], ...]


def plan(desired: DeploymentChanged, revision: int, loaded: Collection[tuple[int, str]]) -> Plan | None:
    """Return what leads from the loaded versions to the desired ones, or None when that revision is reached already.

    A revision that is not above the current one is old news: the topic is at least once, and its order is per key.
    """
    if desired.revision <= revision:
        return None
    wanted = {(route.model_version, route.digest) for route in desired.routes}
    load = tuple(route for route in desired.routes if (route.model_version, route.digest) not in loaded)
    return Plan(load, tuple(sorted(version for version in loaded if version not in wanted)))


def fault(desired: DeploymentChanged) -> tuple[int, str] | None:
    """Return the version for which a deployment can't be followed at all, and why, or None."""
    first = desired.routes[0].model_version
    if other := next((route for route in desired.routes if route.role not in _ANSWERING), None):
        # A version that is loaded and announced, but never asked, would be taken for a shadow that agrees.
        return other.model_version, f"its role is {other.role}, which is not executed yet: deploy without it"
    if not any(route.share > 0 for route in desired.routes):
        return first, "no route with a share above zero answers requests: deploy a champion"
    if any(not route.features for route in desired.routes):
        return first, "a route names no features: train again with the spec in force"
    if len({tuple(route.features.items()) for route in desired.routes}) > 1:
        return first, "its routes have different features: one model's versions must share them to share its traffic"
    return None
