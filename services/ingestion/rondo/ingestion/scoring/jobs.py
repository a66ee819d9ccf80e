"""A scoring job as a value, and the decisions about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rondo.contracts.events.scoring import ScoringEnded
from rondo.contracts.vocabularies import ScoringState

if TYPE_CHECKING:
    from datetime import datetime

    from rondo.contracts.events.data import DataVersion
    from rondo.contracts.events.scoring import ScoringRequested
    from rondo.ingestion.errors import ScoringFailedError
    from rondo.ingestion.scoring.plan import Part, Speed

FOLDER = "scores"


@dataclass(frozen=True)
class ScoringJob:
    """A job. `rows` is None until it is planned. `scored` counts rows with an answer, including `refused` ones."""

    request: ScoringRequested
    state: str
    rows: int | None = None
    scored: int = 0
    refused: int = 0
    started_at: datetime | None = None
    ended_at: datetime | None = None
    scores: DataVersion | None = None
    code: str = ""
    reason: str = ""
    speed: Speed | None = None


@dataclass(frozen=True)
class OpenPart:
    """A part of a job that has no scores yet, and the attempt of the job."""

    request: ScoringRequested
    part: Part
    attempt: str


def starts(state: str | None) -> bool:
    """Return whether a request starts a job in this state. None is the state of a new job."""
    return state is None or state == ScoringState.FAILED


def table_of(request: ScoringRequested) -> str:
    """Return the table of the scores. Each job has one: outputs differ between versions, and it is one commit."""
    return f"{FOLDER}/{request.model}/{request.job}"


def ended(
    request: ScoringRequested,
    job: ScoringJob | None,
    now: datetime,
    scores: DataVersion | None = None,
    error: ScoringFailedError | None = None,
) -> ScoringEnded:
    """Return the event of a job that ended with `scores`, or with an `error`."""
    return ScoringEnded(
        model=request.model, job=request.job, model_version=request.model_version, digest=request.digest,
        dataset=request.dataset, data_version=request.data_version,
        state=ScoringState.DONE if error is None else ScoringState.FAILED, rows=job.scored if job else 0,
        refused=job.refused if job else 0,
        scores=scores, code=error.code if error else "", reason=str(error) if error else "", at=now,
    )  # fmt: skip
