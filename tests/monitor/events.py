"""Builders of control plane events and alert events."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from rondo.contracts.events.data import DataVersion
from rondo.contracts.events.deployment import DeploymentChanged, Route
from rondo.contracts.events.models import SpecApplied
from rondo.contracts.events.monitoring import AlertRaised, AlertResolved
from rondo.contracts.events.training import ModelTrained, Trigger
from rondo.contracts.training_evidence import Evaluation, Evidence, Parity

from tests.monitor.builders import DIGEST, EPOCH, MODEL, PROFILE, SPEC
from tests.monitor.streams import REFERENCE_ROWS
from tests.support.evidence import stored

if TYPE_CHECKING:
    from rondo.contracts.events.base import Event
    from rondo.contracts.training_evidence import ReferenceProfile

RAISED = AlertRaised(
    model=MODEL, alert_id="a1", kind="drift", model_version=1, severity="warning", title="loans version 1: drifted",
    detail="x PSI 1.23 (threshold 0.25)", raised_at=EPOCH,
)  # fmt: skip
RESOLVED = AlertResolved(model=MODEL, alert_id="a1", detail="over", resolved_at=EPOCH)


def trained(digest: str = DIGEST, profile: ReferenceProfile = PROFILE, model: str = MODEL) -> ModelTrained:
    evidence = Evidence(
        candidate=Evaluation(metrics={name: each.value for name, each in profile.performance.items()}),
        profile=profile,
        parity=Parity(rows=10, max_difference=0.0),
        data=(DataVersion(table="datasets/loans", version=0, digest=DIGEST),),
        training_set_digest=DIGEST,
        rows_trained=REFERENCE_ROWS,
        rows_holdout=REFERENCE_ROWS,
        event_time_from=EPOCH - timedelta(days=60),
        event_time_to=EPOCH,
        as_of=EPOCH,
        spec_digest=SPEC.digest,
        code_version="test",
        seed=7,
        environment={},
    )
    return ModelTrained(
        model=model, run_id="r1", trigger=Trigger(id="t", kind="manual", at=EPOCH), digest=digest, size=1,
        evidence=stored(evidence), summary=evidence.summary(), started_at=EPOCH, finished_at=EPOCH,
    )  # fmt: skip


def deployed(revision: int, version: int, digest: str, role: str = "primary", model: str = MODEL) -> DeploymentChanged:
    route = Route(model_version=version, digest=digest, share=1, role=role, features=SPEC.features)
    return DeploymentChanged(model=model, revision=revision, routes=(route,))


def control_plane(model: str = MODEL) -> list[Event]:
    spec = SPEC.model_copy(update={"model": model})
    return [
        SpecApplied(model=model, revision=1, digest=spec.digest, spec=spec),
        trained(model=model),
        deployed(1, 1, DIGEST, model=model),
    ]
