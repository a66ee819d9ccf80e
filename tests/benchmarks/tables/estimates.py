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
from rondo.contracts.events.logs import OUTPUT
from rondo.contracts.tasks.base import FittedTask
from rondo.contracts.tasks.binary import ScoreHistograms, roc_auc_error
from rondo.contracts.tasks.sketches import OBSERVED, PREDICTED
from rondo.contracts.training_evidence import LossReference, ReferenceProfile
from rondo.monitor.evidence.reference import Reference
from rondo.trainer.evaluation.calibration import calibration_of
from rondo.trainer.evaluation.reference_profile import numeric

from tests.benchmarks.peers import environment
from tests.benchmarks.results import Row, record, versions

CHUNK = 5_000
REFERENCES = (2_000, 10_000, 68_785)
METRICS = ("roc_auc", "accuracy")
SKETCH = ScoreHistograms()
THRESHOLD = 0.5
FITTED = FittedTask(task="binary", labels=("0", "1"), numbers=True, threshold=THRESHOLD)
Scores = NDArray[np.float64]


def labelled(scores: Scores, outcomes: Scores) -> pa.Table:
    """Return rows in the form of the trainer and the monitor."""
    columns = {"number": scores.astype(np.float32), "outcome": outcomes.astype(np.float64)}
    fields = [*PREDICTED, *OBSERVED]
    return pa.table({f.name: pa.array(columns.get(f.name, [None] * len(scores)), f.type) for f in fields})


def learned(scores: Scores, outcomes: Scores) -> Reference:
    """Return the reference that the trainer would make of these rows."""
    outputs = {"score": numeric(scores.astype(np.float32), fine_tails=True)}
    loss = LossReference(rows=1, autocorrelation_rows=1.0, means=())
    calibration = calibration_of(FITTED, labelled(scores, outcomes), outputs, loss)
    return Reference.of(
        ReferenceProfile(
            rows=len(scores), features={}, outputs=outputs, task=FITTED, performance={}, calibration=calibration
        )
    )


def ours(saved: dict[str, Scores]) -> dict[str, tuple[Scores, Scores]]:
    """Return the estimates of all chunks and the truth, by metric."""
    reference = learned(saved["reference_scores"], saved["reference_labels"])
    assert reference.estimator
    found: dict[str, list[tuple[float, float]]] = {metric: [] for metric in METRICS}
    ends = saved["ends"].astype(int)
    for start, end in zip([0, *ends[:-1]], ends, strict=True):
        scores, outcomes = saved["scores"][start:end], saved["labels"][start:end]
        predictions = pa.table({f"{OUTPUT}score": pa.array(scores, pa.float32())})
        counts = reference.binning.count_groups(predictions, np.zeros(predictions.num_rows, np.int64), 1)
        estimates = reference.estimator.expected(counts[0])
        truth = {
            "roc_auc": SKETCH.figures(SKETCH.count(labelled(scores, outcomes)))["roc_auc"].value,
            "accuracy": float(((scores >= THRESHOLD) == outcomes).mean()),
        }
        for metric in METRICS:
            found[metric].append((estimates[metric].value, truth[metric]))
    return {metric: (np.array(pairs)[:, 0], np.array(pairs)[:, 1]) for metric, pairs in found.items()}


def by_chance(saved: dict[str, Scores], truth: dict[str, tuple[Scores, Scores]]) -> list[Row]:
    """Return the mean distance of a chunk's metric from its expectation for a normal distribution."""
    mean_of_normal, positives = np.sqrt(2 / np.pi), CHUNK * float(saved["labels"].mean())
    auc, accuracy = (float(truth[metric][1].mean()) for metric in METRICS)
    errors = roc_auc_error(auc, positives, CHUNK - positives), np.sqrt(accuracy * (1 - accuracy) / CHUNK)
    return [
        _row(f"{metric}: error of an estimate that is right", float(error * mean_of_normal))
        for metric, error in zip(METRICS, errors, strict=True)
    ]


def of_reference(python: Path, reference: int) -> list[Row]:
    """Return the errors with a reference of this many rows."""
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
