"""The values that handlers and the worker pass to each other through the database."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from rondo.contracts.events.training import Trigger
    from rondo.contracts.spec.model import ModelSpec


@dataclass(frozen=True)
class Batch:
    """The latest batch of a dataset; `until` is the newest event time in it."""

    id: str
    until: datetime


@dataclass(frozen=True)
class Serving:
    """The version that serves now, and the digest of its artifact."""

    model_version: int
    digest: str


@dataclass(frozen=True)
class Run:
    """A run that a worker has claimed. `attempt` counts from 1; with `worker` it tells this claim from any other."""

    id: str
    trigger: Trigger
    spec: ModelSpec
    attempt: int
    worker: str
    started_at: datetime
    traceparent: str | None = None

    @property
    def model(self) -> str:
        """The model's name."""
        return self.spec.model
