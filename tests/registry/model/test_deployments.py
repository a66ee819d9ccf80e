"""History: deployments, read as periods."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from rondo.registry.model import deployments as history
from rondo.registry.model.deployments import Deployment
from rondo.registry.model.model import Model
from rondo.registry.registration.candidates import register_candidate

if TYPE_CHECKING:
    from rondo.contracts.spec.model import ModelSpec

Make = Callable[..., Any]


def test_periods_follow_each_other_and_the_last_one_lasts(spec: ModelSpec, candidate: Make, day: Any) -> None:
    first = register_candidate(Model("late", spec, 1), candidate("run-1"), spec).after
    second = register_candidate(first, candidate("run-2"), spec).after
    routes = (first.routes, first.routes, second.routes, (), first.routes)
    deployments = [
        Deployment(revision=n, routes=r, decided_by="registry", reason="", at=day + timedelta(days=n))
        for n, r in enumerate(routes, 1)
    ]
    found = [(p.model_version, p.since.day, p.until.day if p.until else None) for p in history.periods(deployments)]
    assert found == [(1, 2, 4), (2, 4, 5), (1, 6, None)]
