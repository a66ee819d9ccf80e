"""`make bench ONLY=oracles`: the results of the monitor and of other libraries for the same numbers.

The bets are those on normal scores of ranks, by `confseq` and by `expectation`. Distances of binned rows are compared
with those of the same counts by scipy, and the Kolmogorov-Smirnov distance with that of the rows themselves by scipy
and by NannyML. All of them run in this benchmark. The figures are the largest differences.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rondo.monitor.evidence.likelihood_ratios import NORMAL_WIDTHS, normal_bets
from rondo.monitor.statistics.ks import ks
from rondo.monitor.statistics.psi import SMOOTHING, psi
from rondo.monitor.statistics.total_variation import total_variation
from rondo.trainer.evaluation.reference_profile import BINS, numeric
from scipy.spatial.distance import cityblock
from scipy.stats import entropy, ks_2samp

from tests.benchmarks.peers import environment
from tests.benchmarks.results import Row, record, versions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tests.benchmarks.peers.environment import Environment

EXACT = 1e-9
BLOCKS, REFERENCE, ROWS = 2_000, 20_000, 5_000
LIBRARIES = {"confseq": environment.SEQUENCES, "expectation": environment.BETS}


def of_bets(library: str, of: Environment) -> list[Row]:
    """Return the largest differences of log bets on sums of scores, without a change and with one."""
    python = of.python()
    if python is None:
        return []
    rng = np.random.default_rng(1)
    scores = np.concatenate((rng.standard_normal(BLOCKS), rng.standard_normal(BLOCKS // 10) + 1))
    sums, blocks = np.cumsum(scores), np.arange(1, len(scores) + 1)
    with tempfile.TemporaryDirectory() as folder:
        given, answered = Path(folder) / "sums.npz", Path(folder) / "results.npz"
        np.savez(given, sums=sums, blocks=blocks, widths=NORMAL_WIDTHS)
        command = [python, environment.HERE / "mixtures.py", library, given, answered]
        subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - our own command
        with np.load(answered) as results:
            theirs = dict(results)
    found = []
    for one_sided in (False, True):
        each = [theirs[f"{number}/{int(one_sided)}"] for number in range(len(NORMAL_WIDTHS))]
        mean = np.logaddexp.reduce(each, axis=0) - np.log(len(each))
        ours = normal_bets(sums[None], blocks, one_sided=one_sided)[0]
        name = f"log bets {'to one side' if one_sided else 'to both sides'}, beside {library}"
        found.append(_row(name, float(np.abs(ours - mean).max()), EXACT, of))
    return found


def of_distances() -> list[Row]:
    """Return the differences of distances, of counts and of rows."""
    rng = np.random.default_rng(2)
    before = rng.standard_normal(REFERENCE).astype(np.float32)
    now = (rng.standard_normal(ROWS) + 0.3).astype(np.float32)
    profile = numeric(before)
    reference, observed = np.array(profile.counts), _counted(now, np.asarray(profile.edges, np.float32))
    p, q = ((each + SMOOTHING) / (each + SMOOTHING).sum() for each in (observed, reference))
    shares = observed / observed.sum(), reference / reference.sum()
    exact, mine = float(ks_2samp(before, now).statistic), ks(observed, reference)
    stability = float(entropy(p, q) + entropy(q, p))
    found = [
        _row("PSI of counts, beside scipy", abs(psi(observed, reference) - stability), EXACT),
        _row("total variation of counts, beside scipy",
             abs(total_variation(observed, reference) - cityblock(*shares) / 2), EXACT),
        _row(f"Kolmogorov-Smirnov of {BINS} bins, beside that of rows by scipy", abs(mine - exact), 1 / BINS),
    ]  # fmt: skip
    if python := environment.DRIFT.python():
        with tempfile.TemporaryDirectory() as folder:
            paths = [Path(folder) / "reference.npy", Path(folder) / "rows.npy"]
            for path, values in zip(paths, (before, now), strict=True):
                np.save(path, values)
            command = [python, environment.HERE / "nannyml_distances.py", *paths]
            ran = subprocess.run(command, check=True, capture_output=True, text=True, env=environment.QUIET)  # noqa: S603
        theirs = float(ran.stdout.split()[-1])
        name = f"Kolmogorov-Smirnov of {BINS} bins, beside that of rows by NannyML"
        found.append(_row(name, abs(mine - theirs), 1 / BINS, environment.DRIFT))
    return found


def _counted(values: NDArray[np.float32], edges: NDArray[np.float32]) -> NDArray[np.int64]:
    return np.bincount(np.searchsorted(edges, values, side="right"), minlength=len(edges) + 1)


def _row(name: str, difference: float, most: float, of: Environment | None = None) -> Row:
    used, found = versions("numpy", "scipy") | (of.versions if of else {}), float(difference)
    return Row("oracles", name, found, None, "", f"at most {most:g}", found <= most, used)


def main() -> int:
    """Compare and record."""
    return record([*(row for name, of in LIBRARIES.items() for row in of_bets(name, of)), *of_distances()])


if __name__ == "__main__":
    sys.exit(main())
