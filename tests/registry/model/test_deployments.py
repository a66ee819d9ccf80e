"""History: deployments, read as periods."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from rondo.contracts.spec.model import Serving
from rondo.registry.model import deployments as history
from rondo.registry.model.deployments import Deployment
from rondo.registry.model.model import Model, Version
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


def test_a_deployment_answers_requests_as_the_spec_in_force_demands(spec: ModelSpec) -> None:
    window = timedelta(minutes=10)
    serving = Serving(ignore_unknown_fields=True, log="buffered", answer_cache_rows=10, deduplicate=window)
    relaxed = spec.model_copy(update={"serving": serving})
    version = Version(1, f"sha256:{1:064x}", "run-1", "champion", passed=True, signature="{}")
    for each in (spec, relaxed):
        (route,) = Model("late", each, 1, versions={1: version}).with_routes(version.route()).routes
        assert route.ignore_unknown_fields is (each is relaxed)
        assert route.log == ("buffered" if each is relaxed else "acknowledged")
        assert route.answer_cache_rows == (10 if each is relaxed else 0)
        assert route.deduplicate == (window if each is relaxed else None)
