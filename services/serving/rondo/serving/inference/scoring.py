"""Rows of one version to scores: whole columns at once, and row by row only where a number or the model fails."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from rondo.serving import metrics

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from rondo.serving.models.loaded_version import Version
    from rondo.serving.requests.schema import Column, Row

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Scored:
    """N rows that were answered, with their places in the micro-batch, columns [N] and finite scores [N]."""

    version: Version
    places: Sequence[int]
    rows: Sequence[Row]
    columns: dict[str, Column]
    scores: NDArray[np.float32]


def score(version: Version, places: Sequence[int], rows: Sequence[Row]) -> tuple[Scored, list[int], list[int]]:
    """Score rows; also return the places of those with a value that is not allowed, and of those without a score."""
    columns = version.layout.columns(rows)
    unfit = [places[index] for index in sorted(columns.bad)]
    if columns.bad:
        places, rows = without(places, columns.bad), without(rows, columns.bad)
    features = _without_rows(columns.features, sorted(columns.bad))
    scores = _scores(version, features, len(rows))
    if np.isfinite(scores).all():
        return Scored(version, places, rows, features, scores), unfit, []
    silent = np.flatnonzero(~np.isfinite(scores))
    gone = frozenset(silent.tolist())
    kept = _without_rows(features, silent.tolist())
    scored = Scored(version, without(places, gone), without(rows, gone), kept, np.delete(scores, silent))
    return scored, unfit, [places[index] for index in sorted(gone)]


def _without_rows(columns: dict[str, Column], gone: list[int]) -> dict[str, Column]:
    if not gone:
        return columns
    keep = np.ones(len(next(iter(columns.values()))), dtype=np.bool_)
    keep[gone] = False
    return {name: column[keep] for name, column in columns.items()}


def without(items: Sequence[T], gone: frozenset[int]) -> list[T]:
    """Return the items but those at some places."""
    return [item for index, item in enumerate(items) if index not in gone]


def _scores(version: Version, columns: dict[str, Column], rows: int) -> NDArray[np.float32]:
    """Infer; where the model fails on the whole, each row alone, and NaN for those it fails on."""
    if rows == 0:
        return np.empty(0, dtype=np.float32)
    scores = infer(version, columns, rows)
    if scores is not None:
        return scores
    alone = [infer(version, {name: c[row : row + 1] for name, c in columns.items()}, 1) for row in range(rows)]
    return np.array([np.nan if score is None else score[0] for score in alone], dtype=np.float32)


def infer(version: Version, columns: dict[str, Column], rows: int) -> NDArray[np.float32] | None:
    """Return the scores of N rows, shape [N], which may be NaN; None where the model fails."""
    try:
        with metrics.INFERENCE_SECONDS.labels(version.model).time():
            scores = version.scorer.score(columns)
    except Exception:  # noqa: BLE001 - onnxruntime raises bare Exceptions; what fails for a single row is refused
        return None
    return scores if scores.shape == (rows,) else None
