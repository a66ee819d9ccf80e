"""History, lineage and runs: what is told of what was."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from rondo.contracts.training import TrainingFailed, TrainingStarted
from rondo.registry import history, lineage, promotion, runs
from rondo.registry.history import Deployment
from rondo.registry.versions import Model

if TYPE_CHECKING:
    from rondo.contracts.spec import ModelSpec

Make = Callable[..., Any]


def test_periods_follow_each_other_and_the_last_one_lasts(spec: ModelSpec, candidate: Make, day: Any) -> None:
    first = promotion.receive(Model("late", spec, 1), candidate("run-1"), spec).after
    second = promotion.receive(first, candidate("run-2"), spec).after
    routes = (first.routes, first.routes, second.routes, (), first.routes)
    deployments = [
        Deployment(revision=n, routes=r, decided_by="registry", reason="", at=day + timedelta(days=n))
        for n, r in enumerate(routes, 1)
    ]
    found = [(p.model_version, p.since.day, p.until.day if p.until else None) for p in history.periods(deployments)]
    assert found == [(1, 2, 4), (2, 4, 5), (1, 6, None)]
    story = lineage.trace(second.version(2), candidate("run-2"), deployments)
    assert [p.revision for p in story.deployments] == [3]
    assert story.trigger.id == "finding-run-2"
    assert story.training.data[0].version == 3
    assert story.training.code_version == "1.0"
    assert story.artifact == second.version(2).digest


def test_a_run_that_ended_stays_ended_in_whatever_order_it_is_told(trained: Make) -> None:
    event = trained()
    begin = TrainingStarted(
        model="late", run_id="run-1", trigger=event.trigger, spec_digest=event.evidence.spec_digest,
        started_at=event.started_at,
    )  # fmt: skip
    end = runs.trained(event)
    in_order = runs.merge(runs.merge(None, runs.started(begin)), end)
    reversed_order = runs.merge(runs.merge(None, end), runs.started(begin))
    assert in_order == reversed_order == end
    failure = runs.failed(
        TrainingFailed(model="late", run_id="run-1", trigger=event.trigger, reason="no memory", attempts=3)
    )
    merged = runs.merge(failure, runs.started(begin))
    assert (merged.state, merged.started_at, merged.detail) == (
        "failed", event.started_at, "no memory (after 3 attempts)",
    )  # fmt: skip
