"""NannyML's estimates of performance without labels (CBPE) on ACS employment, beside the truth.

Run as `python nannyml_estimates.py <folder> <rows of a chunk> <reference rows>` with the interpreter of the environment
`drift`. Writes `acs.npz`: the scores and labels of the reference's latest rows and of all rows after it, and NannyML's
estimates of each chunk of the latter.
"""

from __future__ import annotations

import sys
from pathlib import Path

import nannyml
import numpy as np
import pandas as pd

METRICS = ("roc_auc", "accuracy")


def main(folder: Path, chunk: int, rows: int) -> None:
    data = Path(nannyml.__file__).parent / "datasets/data"
    reference = pd.read_parquet(data / "employment_MA_reference.pq").tail(rows)
    analysis = pd.read_parquet(data / "employment_MA_analysis.pq")
    labels = pd.read_parquet(data / "employment_MA_analysis_target.pq")
    estimator = nannyml.CBPE(
        problem_type="classification_binary", metrics=list(METRICS), chunk_size=chunk, y_true="employed",
        y_pred="prediction", y_pred_proba="predicted_probability",
    )  # fmt: skip
    estimates = estimator.fit(reference).estimate(analysis).filter(period="analysis").to_df()
    np.savez(
        folder / "acs.npz",
        reference_scores=reference["predicted_probability"], reference_labels=reference["employed"],
        scores=analysis["predicted_probability"], labels=analysis.merge(labels, on="id")["employed"],
        ends=estimates["chunk", "end_index"] + 1, **{each: estimates[each, "value"] for each in METRICS},
    )  # fmt: skip


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
