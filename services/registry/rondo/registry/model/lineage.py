"""Lineage of a version: trigger, run, data, spec, code, artifact, gates, deployments."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rondo.contracts.events.base import Value
from rondo.contracts.events.models import GateResult
from rondo.contracts.events.training import (
    AnswerRule,
    FeatureImportance,
    Parameters,
    TrainingInputs,
    TrainingNote,
    Trigger,
)
from rondo.contracts.text import Digest
from rondo.contracts.times import Utc
from rondo.registry.model.deployments import Deployment, Period, periods

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rondo.registry.model.model import Candidate, Version


class TrainingLineage(TrainingInputs):
    """A run and its inputs."""

    run_id: str
    started_at: Utc
    finished_at: Utc


class Lineage(Value):
    """The lineage of a version, from the trigger of its training to its deployments."""

    model: str
    model_version: int
    artifact: Digest
    artifact_bytes: int
    trigger: Trigger
    evidence: Digest
    training: TrainingLineage
    parameters: Parameters | None
    importance: tuple[FeatureImportance, ...]
    answer_rule: AnswerRule | None
    task: str
    metrics: dict[str, float]
    compared_with_version: int | None
    notes: tuple[TrainingNote, ...]
    gates: tuple[GateResult, ...]
    state: str
    deployments: tuple[Period, ...]


def lineage_of(version: Version, candidate: Candidate, deployments: Sequence[Deployment]) -> Lineage:
    trained = candidate.trained
    known = trained.summary.model_dump() | trained.model_dump(include={"run_id", "started_at", "finished_at"})
    return Lineage(
        model=trained.model,
        model_version=version.number,
        artifact=version.digest,
        artifact_bytes=trained.size,
        trigger=trained.trigger,
        evidence=trained.evidence,
        training=TrainingLineage.model_validate(known),
        parameters=trained.summary.parameters,
        importance=trained.summary.importance,
        answer_rule=trained.summary.answer_rule,
        task=trained.summary.task,
        metrics=trained.summary.metrics,
        compared_with_version=trained.summary.champion_version if trained.summary.champion_metrics else None,
        notes=trained.summary.notes,
        gates=candidate.gates,
        state=version.state,
        deployments=tuple(p for p in periods(deployments) if p.model_version == version.number),
    )
