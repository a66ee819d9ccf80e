"""What a training begins with, what it has learned, and what it ends with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

    from rondo.contracts.events.profile import FeatureProfile, ReferenceProfile
    from rondo.contracts.events.training import Evaluation, Parity


@dataclass(frozen=True)
class Champion:
    """The serving version: its number and its ONNX bytes; None where the artifact can't be had."""

    version: int
    model: bytes | None


@dataclass(frozen=True, eq=False)
class Learned:
    """A model as ONNX bytes, the rows that it is to be judged on, and its scores for them (shape `[holdout rows]`).

    `rows_trained` were fitted to; times, digest and profile are of these and the holdout together.
    """

    model: bytes
    holdout: pl.DataFrame
    scores: NDArray[np.float32]
    parity: Parity
    profile: dict[str, FeatureProfile]
    training_set_digest: str
    rows_trained: int
    event_time_from: datetime
    event_time_to: datetime


@dataclass(frozen=True)
class Candidate:
    """What was learned and how it was judged: `rondo.contracts.events.training.Evidence` says of what.

    `champion_version` is who served then; `champion` is None where that version could not be scored.
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
