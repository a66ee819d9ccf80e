"""`make bench ONLY=estimates`: performance estimated without outcomes, beside NannyML's estimate and the truth.

On ACS employment of Massachusetts, which the wheel of NannyML holds with the scores of its model: 2015 is the
reference, 2016 to 2018 is estimated in chunks. The error is the mean over chunks of the distance from the truth. The
monitor's estimate and NannyML's are of the same rows, of one run. With few reference rows both have little to learn
from. Outcomes are chance, so an estimate that is right has an error, too: that is shown beside.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from rondo.contracts.tasks.binary import ScoreHistograms, roc_auc_error
from rondo.contracts.tasks.sketches import OBSERVED, PREDICTED
from rondo.monitor.estimates.calibration import calibrate
from rondo.monitor.estimates.expected_performance import expected_performance, score_counts

from tests.benchmarks.peers import environment
from tests.benchmarks.results import Row, record, versions

CHUNK = 5_000
REFERENCES = (2_000, 10_000, 68_785)
METRICS = ("roc_auc", "accuracy")
SKETCH = ScoreHistograms()
THRESHOLD = 0.5
Scores = NDArray[np.float64]


def labelled(scores: Scores, outcomes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the counts of the sketch that the monitor keeps of labelled rows."""
    columns = {"number": scores.astype(np.float32), "outcome": outcomes.astype(np.float64)}
    fields = [*PREDICTED, *OBSERVED]
    return SKETCH.count(pa.table({f.name: pa.array(columns.get(f.name, [None] * len(scores)), f.type) for f in fields}))


def ours(saved: dict[str, Scores]) -> dict[str, tuple[Scores, Scores]]:
    """Return the estimates of all chunks and the truth, by metric."""
    calibration = calibrate(labelled(saved["reference_scores"], saved["reference_labels"]))
    assert calibration
    found: dict[str, list[tuple[float, float]]] = {metric: [] for metric in METRICS}
    ends = saved["ends"].astype(int)
    for start, end in zip([0, *ends[:-1]], ends, strict=True):
        scores, outcomes = saved["scores"][start:end], saved["labels"][start:end]
        estimates = expected_performance(calibration, score_counts(scores, SKETCH.bins), THRESHOLD)
        truth = {
            "roc_auc": SKETCH.figures(labelled(scores, outcomes))["roc_auc"].value,
            "accuracy": float(((scores >= THRESHOLD) == outcomes).mean()),
        }
        for metric in METRICS:
            found[metric].append((estimates[metric].value, truth[metric]))
    return {metric: (np.array(pairs)[:, 0], np.array(pairs)[:, 1]) for metric, pairs in found.items()}


def by_chance(saved: dict[str, Scores], truth: dict[str, tuple[Scores, Scores]]) -> list[Row]:
    """Return the mean distance of a chunk's metric from its expectation, of a normal distribution."""
    mean_of_normal, positives = np.sqrt(2 / np.pi), CHUNK * float(saved["labels"].mean())
    auc, accuracy = (float(truth[metric][1].mean()) for metric in METRICS)
    errors = roc_auc_error(auc, positives, CHUNK - positives), np.sqrt(accuracy * (1 - accuracy) / CHUNK)
    return [
        _row(f"{metric}: error of an estimate that is right", float(error * mean_of_normal))
        for metric, error in zip(METRICS, errors, strict=True)
    ]


def of_reference(python: Path, reference: int) -> list[Row]:
    """Return the errors with a reference of so many rows."""
    with tempfile.TemporaryDirectory() as folder:
        script = environment.HERE / "nannyml_estimates.py"
        command = [python, script, folder, str(CHUNK), str(reference)]
        subprocess.run(command, check=True, capture_output=True, env=environment.QUIET)  # noqa: S603 - our own command
        with np.load(Path(folder) / "acs.npz") as arrays:
            saved = dict(arrays)
    rows, figures = [], ours(saved)
    for metric, (estimates, truth) in figures.items():
        error, peer = (float(np.abs(each - truth).mean()) for each in (estimates, saved[metric]))
        rows.append(_row(f"{metric}: error of the estimate, {reference:,} reference rows", error, peer))
    return rows if reference < REFERENCES[-1] else [*rows, *by_chance(saved, figures)]


def _row(name: str, ours: float, peer: float | None = None) -> Row:
    used = versions("numpy", "scipy") | environment.DRIFT.versions
    if peer is None:
        return Row("estimates", name, ours, None, "", "shown", met=True, versions=used)
    return Row("estimates", name, ours, peer, "", "at most NannyML's", ours <= peer, used, ratio=ours / peer)


def main() -> int:
    """Estimate and record."""
    python = environment.DRIFT.python()
    return record([row for reference in REFERENCES for row in of_reference(python, reference)] if python else [])


if __name__ == "__main__":
    sys.exit(main())
