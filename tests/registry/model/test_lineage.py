"""Lineage: from the trigger of a training to the deployments."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from rondo.contracts.events.training import AnswerRule
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
    found = lineage.lineage_of(second.version(2), known, deployments)
    assert (found.trigger.id, found.training.run_id) == ("finding-run-2", "run-2")
    assert [(d.table, d.version) for d in found.training.data] == [("datasets/flights", 3)]
    assert (found.training.code_version, found.training.seed) == ("1.0", 7)
    assert (found.training.spec_digest, found.compared_with_version) == (spec.digest, 1)
    assert (found.artifact, found.artifact_bytes) == (second.version(2).digest, known.trained.size)
    assert found.answer_rule == AnswerRule(threshold=0.5)
    assert (found.metrics, [gate.passed for gate in found.gates]) == ({"roc_auc": 0.7}, [True])
    assert (found.state, [p.revision for p in found.deployments]) == ("champion", [2, 4])


def test_a_version_that_was_rejected_was_in_no_deployment(spec: ModelSpec, candidate: Make, day: datetime) -> None:
    rejected = candidate("run-1", passed=False)
    model = register_candidate(Model("late", spec, 1), rejected, spec).after
    found = lineage.lineage_of(model.version(1), rejected, [])
    assert (found.state, found.deployments) == ("rejected", ())
