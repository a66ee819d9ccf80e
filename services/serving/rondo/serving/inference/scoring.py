"""Scores rows with one version: all at once, or row by row if the model fails on all of them."""

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
    """Return the outputs of at least one row. A row on which the model fails is not answerable.

    Inferences that are not live are not `timed`, and do not use the answer cache.
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
    """Return the outputs of N rows, of which some may not be answerable. None if the model fails."""
    try:
        with metrics.inference_seconds(version.model).time() if timed else nullcontext():
            outputs = version.cache.score(version.scorer.score, columns) if timed else version.scorer.score(columns)
    except Exception:  # noqa: BLE001 - onnxruntime raises bare Exceptions, and a row that fails is refused
        return None
    return outputs if version.outputs.fits(outputs, rows) else None
