"""Lineage: from the trigger of a training to the deployments."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from rondo.registry.model import lineage
from rondo.registry.model.deployments import Deployment
from rondo.registry.model.model import Model
from rondo.registry.registration.candidates import register_candidate

if TYPE_CHECKING:
    from rondo.contracts.spec.model import ModelSpec

Make = Callable[..., Any]


def test_a_lineage_begins_with_the_trigger_and_ends_with_the_deployments(
    spec: ModelSpec, candidate: Make, day: datetime
) -> None:
    first = register_candidate(Model("late", spec, 1), candidate("run-1"), spec).after
    known = candidate("run-2", champion=(1, 0.7))
    second = register_candidate(first, known, spec).after
    deployments = [
        Deployment(revision=n, routes=model.routes, decided_by="registry", reason="", at=day + timedelta(days=n))
        for n, model in enumerate((first, second, first, second), 1)
    ]
    story = lineage.lineage_of(second.version(2), known, deployments)
    assert (story.trigger.id, story.training.run_id) == ("finding-run-2", "run-2")
    assert [(d.table, d.version) for d in story.training.data] == [("datasets/flights", 3)]
    assert (story.training.code_version, story.training.seed) == ("1.0", 7)
    assert (story.training.spec_digest, story.compared_with_version) == (spec.digest, 1)
    assert (story.artifact, story.artifact_bytes) == (second.version(2).digest, known.trained.size)
    assert (story.metrics, [gate.passed for gate in story.gates]) == ({"roc_auc": 0.7}, [True])
    assert (story.state, [p.revision for p in story.deployments]) == ("champion", [2, 4])


def test_a_version_that_was_rejected_was_in_no_deployment(spec: ModelSpec, candidate: Make, day: datetime) -> None:
    rejected = candidate("run-1", passed=False)
    model = register_candidate(Model("late", spec, 1), rejected, spec).after
    story = lineage.lineage_of(model.version(1), rejected, [])
    assert (story.state, story.deployments) == ("rejected", ())
