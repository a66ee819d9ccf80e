"""Scores rows of one version: all at once, and row by row only if the model fails on the whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rondo.serving import metrics

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from rondo.serving.models.loaded_version import LoadedVersion
    from rondo.serving.requests.rows import Column


def score(version: LoadedVersion, columns: Mapping[str, Column], rows: int) -> NDArray[np.float32]:
    """Return the scores of at least one row, shape [N]; NaN for a row that the model fails on."""
    scores = score_batch(version, columns, rows)
    if scores is not None:
        return scores
    alone = [score_batch(version, {name: c[row : row + 1] for name, c in columns.items()}, 1) for row in range(rows)]
    return np.array([np.nan if score is None else score[0] for score in alone], dtype=np.float32)


def score_batch(version: LoadedVersion, columns: Mapping[str, Column], rows: int) -> NDArray[np.float32] | None:
    """Return the scores of N rows, shape [N], which may not be finite; None if the model fails."""
    try:
        with metrics.INFERENCE_SECONDS.labels(version.model).time():
            scores = version.scorer.score(columns)
    except Exception:  # noqa: BLE001 - onnxruntime raises bare Exceptions; a row that fails by itself is refused
        return None
    return scores if scores.shape == (rows,) else None
