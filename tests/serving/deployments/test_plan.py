"""Plans: the versions to load, and the versions to unload afterwards."""

from __future__ import annotations

from rondo.serving.deployments import plan as planning

from tests.serving.fakes import deployment, digest, route


def test_the_plan_loads_what_is_new_and_unloads_what_is_gone() -> None:
    plan = planning.plan(deployment(2, route(2), route(3)).data, 1, {(1, digest(1)), (2, digest(2))})
    assert plan is not None
    assert [r.model_version for r in plan.load] == [3]
    assert plan.unload == ((1, digest(1)),)


def test_an_old_revision_asks_for_nothing() -> None:
    assert planning.plan(deployment(2, route(2)).data, 2, set()) is None
