"""Deployments, and the periods in which versions were in production, computed from them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rondo.contracts.events.base import Value
from rondo.contracts.events.deployment import Route
from rondo.contracts.text import Digest
from rondo.contracts.times import Utc

if TYPE_CHECKING:
    from collections.abc import Sequence


class Deployment(Value):
    """One revision of the routes of a model, with the time and the person or service that decided it."""

    revision: int
    routes: tuple[Route, ...]
    decided_by: str
    reason: str
    at: Utc


class Period(Value):
    """A time in which a version had one role and one share. `until` is None while it lasts."""

    model_version: int
    digest: Digest
    role: str
    share: float
    since: Utc
    until: Utc | None
    revision: int
    decided_by: str
    reason: str


def periods(deployments: Sequence[Deployment]) -> tuple[Period, ...]:
    """Return the periods of all versions, oldest first. Consecutive revisions with the same route are one period."""
    running: dict[tuple[int, str, float], Period] = {}
    ended: list[Period] = []
    for deployment in deployments:
        routes = {(r.model_version, r.role, r.share): r for r in deployment.routes}
        over = [key for key in running if key not in routes]
        ended.extend(running.pop(key).model_copy(update={"until": deployment.at}) for key in over)
        for key, route in routes.items():
            running.setdefault(key, _begin(route, deployment))
    return tuple(sorted((*ended, *running.values()), key=lambda p: (p.revision, p.model_version)))


def _begin(route: Route, deployment: Deployment) -> Period:
    return Period(
        model_version=route.model_version,
        digest=route.digest,
        role=route.role,
        share=route.share,
        since=deployment.at,
        until=None,
        revision=deployment.revision,
        decided_by=deployment.decided_by,
        reason=deployment.reason,
    )
