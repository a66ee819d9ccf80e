"""What a training begins with and what it ends with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from rondo.contracts.profile import ReferenceProfile
    from rondo.contracts.training import Evaluation, Parity


@dataclass(frozen=True)
class Champion:
    """The serving version: its number and its ONNX bytes."""

    version: int
    model: bytes


@dataclass(frozen=True)
class Candidate:
    """A model as ONNX bytes, and what was found out about it: `rondo.contracts.training.Evidence` says of what.

    `rows_trained` were fitted to and `rows_holdout` judged on; times, digest and profile are of both together.
    """

    model: bytes
    evaluation: Evaluation
    champion: Evaluation | None
    champion_version: int | None
    profile: ReferenceProfile
    parity: Parity
    training_set_digest: str
    rows_trained: int
    rows_holdout: int
    event_time_from: datetime
    event_time_to: datetime
