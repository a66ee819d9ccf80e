"""Events of the control plane, as the tests need them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from monitor_world import DIGEST, EPOCH, MODEL, PROFILED, REFERENCE_ROWS, SPEC
from rondo.contracts.events.data import DataVersion
from rondo.contracts.events.deployment import DeploymentChanged, Route
from rondo.contracts.events.models import SpecApplied
from rondo.contracts.events.training import Evaluation, Evidence, ModelTrained, Parity, Trigger

if TYPE_CHECKING:
    from rondo.contracts.events.base import Event


def trained(digest: str = DIGEST) -> ModelTrained:
    evidence = Evidence(
        candidate=Evaluation(metrics={"roc_auc": PROFILED.profile.roc_auc}),
        profile=PROFILED.profile,
        parity=Parity(rows=10, max_abs_difference=0.0),
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
        model=MODEL, run_id="r1", trigger=Trigger(id="t", kind="manual", at=EPOCH), digest=digest, size=1,
        evidence=evidence, started_at=EPOCH, finished_at=EPOCH,
    )  # fmt: skip


def deployed(revision: int, version: int, digest: str, role: str = "primary") -> DeploymentChanged:
    route = Route(model_version=version, digest=digest, share=1, role=role, features=SPEC.features)
    return DeploymentChanged(model=MODEL, revision=revision, routes=(route,))


def control_plane() -> list[Event]:
    return [
        SpecApplied(model=MODEL, revision=1, digest=SPEC.digest, spec=SPEC), trained(), deployed(1, 1, DIGEST)
    ]  # fmt: skip
