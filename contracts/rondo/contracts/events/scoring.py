"""Events of scoring jobs. In a job a version scores a whole version of a dataset."""

from __future__ import annotations

import hashlib
from typing import Annotated, ClassVar

from pydantic import Field

from rondo.contracts.events.base import ModelEvent
from rondo.contracts.events.data import DataVersion
from rondo.contracts.spec.model import Feature
from rondo.contracts.tasks.base import NAME
from rondo.contracts.tasks.registry import TASKS
from rondo.contracts.text import Column, Digest, Message, Text
from rondo.contracts.times import Utc
from rondo.contracts.vocabularies import ScoringFailure, ScoringState, open_to


class ScoringRequested(ModelEvent):
    """A version is to score all rows of version `data_version` of a dataset.

    `job` depends only on the version and the data. The same request again is therefore the same job, which continues
    where it failed. `features` are the signature of the version. `entity` and `event_time` are the columns of its spec.
    An answer has their values if the data has these columns. `task` is the task of the spec, and is empty in events of
    earlier releases.
    """

    topic: ClassVar[str] = "scoring.requested"

    job: Text
    model_version: int
    digest: Digest
    features: dict[Column, Feature]
    entity: Column
    event_time: Column
    dataset: Text
    data_version: int
    task: Annotated[Text, Field(description=NAME, examples=list(TASKS))] = ""
    requested_by: Text
    at: Utc


class ScoringEnded(ModelEvent):
    """A scoring job is done or has failed.

    `rows` counts the rows that were scored or refused, and `refused` those without outputs. `scores` is the table of a
    job that is done. `code` and `reason` say why a job failed, and are empty if it is done.
    """

    topic: ClassVar[str] = "scoring.ended"

    job: Text
    model_version: int
    digest: Digest
    dataset: Text
    data_version: int
    state: Annotated[Text, open_to(ScoringState)]
    rows: int
    refused: int
    scores: DataVersion | None = None
    code: Annotated[Text, open_to(ScoringFailure)] = ""
    reason: Message = ""
    at: Utc


def job_id(model: str, model_version: int, digest: str, dataset: str, data_version: int) -> str:
    """Return the id of the job in which a version scores a version of a dataset."""
    content = "\n".join((model, str(model_version), digest, dataset, str(data_version)))
    return hashlib.sha256(content.encode()).hexdigest()[:16]
