"""Scores rows of one version: all at once, and row by row only if the model fails on the whole."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

import numpy as np

from rondo.serving import metrics

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rondo.serving.models.loaded_version import LoadedVersion
    from rondo.serving.outputs.schema import Outputs
    from rondo.serving.requests.rows import Column


def score(version: LoadedVersion, columns: Mapping[str, Column], rows: int, *, timed: bool = True) -> Outputs:
    """Return the outputs of at least one row. A row that the model fails on is not answerable.

    Inferences that are not live are not `timed`, and the answer cache has no part in them.
    """
    outputs = score_batch(version, columns, rows, timed=timed)
    if outputs is not None:
        return outputs
    failed = version.outputs.unanswerable(1)
    alone = [
        score_batch(version, {name: c[row : row + 1] for name, c in columns.items()}, 1, timed=timed) or failed
        for row in range(rows)
    ]
    return {name: np.concatenate([each[name] for each in alone]) for name in version.outputs.names}


def score_batch(
    version: LoadedVersion, columns: Mapping[str, Column], rows: int, *, timed: bool = True
) -> Outputs | None:
    """Return the outputs of N rows, which may not all be answerable. None if the model fails."""
    try:
        with metrics.inference_seconds(version.model).time() if timed else nullcontext():
            outputs = version.cache.score(version.scorer.score, columns) if timed else version.scorer.score(columns)
    except Exception:  # noqa: BLE001 - onnxruntime raises bare Exceptions; a row that fails by itself is refused
        return None
    return outputs if version.outputs.fits(outputs, rows) else None
