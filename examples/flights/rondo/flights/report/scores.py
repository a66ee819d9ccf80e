"""AUC by month: of the served scores, and of the first model without retraining."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnxruntime as ort
import polars as pl

from rondo.flights.dataset.flights import ENTITY, EVENT_TIME, FEATURES, LABEL

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from rondo.flights.observers.ledger import Answer

_CHUNK = 50_000


def roc_auc(labels: NDArray[np.int8], scores: NDArray[np.float32]) -> float | None:
    """Return the area under the ROC curve (Mann-Whitney U, ties count half), or None with one class only."""
    positives = int(labels.sum())
    negatives = len(labels) - positives
    if positives == 0 or negatives == 0:
        return None
    ranks = pl.Series(scores).rank("average").to_numpy()
    return float((ranks[labels == 1].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def by_month(flights: pl.DataFrame, scores: NDArray[np.float32]) -> dict[int, float]:
    """Return the AUC of each month; `scores` are aligned with the rows, NaN where there is none.

    Rows without an outcome are ignored, and so are months with one class only.
    """
    known = pl.col("score").is_not_nan() & pl.col(LABEL).is_not_null()
    scored = flights.with_columns(score=pl.Series(scores)).filter(known)
    found = {
        int(month): roc_auc(rows[LABEL].to_numpy(), rows["score"].to_numpy())
        for (month,), rows in scored.group_by(pl.col(EVENT_TIME).dt.month(), maintain_order=True)
    }
    return {month: auc for month, auc in sorted(found.items()) if auc is not None}


def answered(flights: pl.DataFrame, answers: Mapping[str, Answer]) -> NDArray[np.float32]:
    """Return the served scores, aligned with the rows; NaN for a flight without an answer."""
    missing = float("nan")
    return np.array(
        [answer.score if (answer := answers.get(entity)) else missing for entity in flights[ENTITY]], dtype=np.float32
    )


class FirstModel:
    """Scores all flights with the artifact of the first version, which is never retrained."""

    def __init__(self, artifact: bytes, flights: pl.DataFrame) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = ort.InferenceSession(artifact, options, providers=["CPUExecutionProvider"])
        self._flights = flights

    def scores(self) -> NDArray[np.float32]:
        """Return the scores, aligned with the rows."""
        chunks = [self._score(chunk) for chunk in self._flights.iter_slices(_CHUNK)]
        return np.concatenate(chunks) if chunks else np.array([], dtype=np.float32)

    def _score(self, rows: pl.DataFrame) -> NDArray[np.float32]:
        inputs = {name: _column(rows[name]) for name in FEATURES}
        [scores] = self._session.run(["output.score"], inputs)
        return np.asarray(scores, dtype=np.float32).reshape(-1)


def _column(values: pl.Series) -> NDArray[np.generic]:
    """Return a feature as the ONNX graph takes it: shape [N, 1], a missing text as "", a missing number as NaN."""
    if values.dtype == pl.String:
        return values.fill_null("").to_numpy().astype(object).reshape(-1, 1)
    return values.cast(pl.Float32).fill_null(float("nan")).to_numpy().reshape(-1, 1)
