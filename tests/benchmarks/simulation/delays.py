"""Streams of one column whose level shifts, and when detectors of inputs raise alarms on them.

Each detector has parameters that make it quick or quiet. All but Rondo go on after an alarm.
"""

from __future__ import annotations

import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from rondo.contracts.events.logs import FEATURE
from rondo.monitor.evidence.reference import Reference
from rondo.monitor.evidence.staged_test import Buckets
from rondo.monitor.evidence.version_evidence import VersionEvidence
from rondo.monitor.statistics.psi import psi

from tests.benchmarks.peers import environment
from tests.benchmarks.peers.changes_by_river import changes_by_river
from tests.benchmarks.simulation.stationary import profile_of, users
from tests.benchmarks.simulation.streams import BUCKET, autoregressive, independent

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from tests.benchmarks.simulation.streams import Feature

REFERENCE, BEFORE, AFTER, CHUNK = 10_000, 20_000, 20_000, 500
SLOW = 3_000
"""Rows before and after the shift in the `SLOW_STREAMS` streams of a slow detector."""
SLOW_STREAMS = 2
SHIFTS: dict[str, tuple[Feature, float]] = {
    "independent rows, a shift by .5 sd": (independent, 0.5),
    "rows that keep .9 of the one before, 1 sd": (autoregressive(0.9), 1.0),
    "daily and weekly cycle with users, 1 sd": (users, 1.0),
}
"""The generator of a column and its shift in standard deviations, by name."""
RATES = (0.1, 0.01, 0.001)
PSI_BOUNDS = (0.03, 0.05, 0.1, 0.25, 0.5)
DEVIATIONS = (2.0, 3.0, 5.0, 10.0)
ADWINS, PAGE_HINKLEYS, KSWINS = (0.2, 0.02, 0.002, 1e-5, 1e-8), (10.0, 50.0, 200.0, 1_000.0), (0.005, 1e-6)
DUMMIES = (100, 300, 1_000, 3_000, 10_000)


@dataclass(frozen=True)
class Alarms:
    """The alarms of a detector on a stream as live rows.

    There are `before` rows before the shift and `after` rows after it.
    """

    places: NDArray[np.int64]
    before: int = BEFORE
    after: int = AFTER
    latches: bool = False

    @property
    def false(self) -> int:
        return int((self.places < self.before).sum())

    @property
    def delay(self) -> int:
        """The rows from the shift to the first alarm after it.

        `after` if there is none, or if an alarm is already active.
        """
        right = self.places[self.places >= self.before]
        return int(right[0]) - self.before if len(right) and not (self.latches and self.false) else self.after


Found = dict[tuple[str, float], list[Alarms]]


def streams(kind: str, count: int, rng: np.random.Generator) -> list[NDArray[np.float32]]:
    """Return streams, each of `REFERENCE`, `BEFORE` and `AFTER` rows."""
    feature, shift = SHIFTS[kind]
    found = [feature(REFERENCE + BEFORE + AFTER, rng).astype(np.float32) for _ in range(count)]
    for rows in found:
        rows[REFERENCE + BEFORE :] += np.float32(shift * rows[:REFERENCE].std())
    return found


def detect(rows: list[NDArray[np.float32]]) -> Found:
    """Return the alarms of all detectors by name and parameter, a list over the streams."""
    found: Found = {}
    for stream in rows:
        for key, alarms in [*_by_rondo(stream), *_by_psi(stream), *_by_dummies()]:
            found.setdefault(key, []).append(alarms)
    return found | _by_river(rows) | _by_nannyml(rows)


def _by_rondo(rows: NDArray[np.float32]) -> Iterator[tuple[tuple[str, float], Alarms]]:
    profile = profile_of({"x": rows[:REFERENCE]})
    reference = Reference.of(profile, "delays")
    evidence, live = VersionEvidence.of(reference.digest, profile), rows[REFERENCE:]
    groups = np.arange(len(live)) // BUCKET
    counts = reference.binning.count_groups(pa.table({f"{FEATURE}x": live}), groups, int(groups[-1]) + 1)
    sums, sizes = reference.components.sums("inputs", counts), np.bincount(groups)
    starts, first = BUCKET * np.arange(len(counts), dtype=np.int64), dict[float, int]()
    for at in range(len(counts)):
        part = slice(at, at + 1)
        evidence.take("inputs", Buckets(starts[part], sizes[part], sums[part], BUCKET))
        for rate in RATES:
            if rate not in first and next(evidence.alarms(rate), None):
                first[rate] = int(starts[at]) + BUCKET - 1
        if len(first) == len(RATES):
            break
    for rate in RATES:
        yield ("Rondo", rate), Alarms(np.array([first[rate]] if rate in first else [], np.int64), latches=True)


def _by_psi(rows: NDArray[np.float32]) -> Iterator[tuple[tuple[str, float], Alarms]]:
    """Yield the windows of `CHUNK` rows whose PSI, in deciles of the reference, is above a bound."""
    edges = np.quantile(rows[:REFERENCE], np.linspace(0.1, 0.9, 9))
    reference = np.bincount(np.searchsorted(edges, rows[:REFERENCE]), minlength=10)
    windows = rows[REFERENCE:].reshape(-1, CHUNK)
    values = np.array([psi(np.bincount(np.searchsorted(edges, each), minlength=10), reference) for each in windows])
    for bound in PSI_BOUNDS:
        yield ("PSI", bound), Alarms(_ends(values > bound))


def _by_dummies() -> Iterator[tuple[tuple[str, float], Alarms]]:
    for every in DUMMIES:
        # The shift is in the middle between two alarms, its mean position.
        yield ("dummy", every), Alarms(np.arange((BEFORE + every // 2) % every, BEFORE + AFTER, every))


def _by_river(rows: list[NDArray[np.float32]]) -> Found:
    """Return the alarms of river's detectors, which know the reference: they begin with its last rows."""
    learned, found = 2_000, Found()
    series = {str(at): stream[REFERENCE - learned :] for at, stream in enumerate(rows)}
    quick = [*(f"ADWIN:{each:g}" for each in ADWINS), *(f"PageHinkley:{each:g}" for each in PAGE_HINKLEYS)]
    for (name, _), places in changes_by_river(series, quick).items():
        live = places[places >= learned] - learned
        found.setdefault(_key(name), []).append(Alarms(live))
    shift = REFERENCE + BEFORE
    short = {str(at): stream[shift - 2 * SLOW : shift + SLOW] for at, stream in enumerate(rows[:SLOW_STREAMS])}
    for (name, _), places in changes_by_river(short, [f"KSWIN:{each:g}" for each in KSWINS]).items():
        live = places[places >= SLOW] - SLOW
        found.setdefault(_key(name), []).append(Alarms(live, SLOW, SLOW))
    return found


def _by_nannyml(rows: list[NDArray[np.float32]]) -> Found:
    """Return chunks whose distance is a number of deviations above the mean of the reference's, as in NannyML."""
    python, found = environment.DRIFT.python(), Found()
    if python is None:
        return found
    series = {f"reference/{at}": stream[:REFERENCE] for at, stream in enumerate(rows)}
    series |= {f"live/{at}": stream[REFERENCE:] for at, stream in enumerate(rows)}
    with tempfile.TemporaryDirectory() as folder:
        given, answered = Path(folder) / "series.npz", Path(folder) / "results.npz"
        np.savez(given, **series)
        command = [python, environment.HERE / "nannyml_chunks.py", given, answered, str(CHUNK)]
        subprocess.run(command, check=True, capture_output=True, env=environment.QUIET)  # noqa: S603 - our own command
        with np.load(answered) as results:
            values: Mapping[str, NDArray[np.float64]] = dict(results)
    for at in range(len(rows)):
        before, now = values[f"reference/{at}"], values[f"live/{at}"]
        for deviations in DEVIATIONS:
            alarms = Alarms(_ends(now > before.mean() + deviations * before.std()))
            found.setdefault(("NannyML", deviations), []).append(alarms)
    return found


def _ends(alarms: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the last rows of the chunks with an alarm."""
    return np.asarray((np.flatnonzero(alarms) + 1) * CHUNK - 1)


def _key(name: str) -> tuple[str, float]:
    detector, parameter = name.split(":")
    return detector, float(parameter)
