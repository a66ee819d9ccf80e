"""`make bench ONLY=stationary`: how many streams without drift have an alarm, of 100,000 rows each.

Watched by the trainer's and the monitor's own code, as long as each stream lasts, and looked at after every block. The
stated rate is that of a version, of which the inputs have a third. Beside it are PSI by windows of 1,000 rows, with a
bound that a statistician would choose for independent rows (chi-square, .01 shared by all windows and columns), river's
ADWIN with its default on the first column of some streams, and the dummy that alarms every 1,000 rows.
BENCH_STREAMS is the number of streams of each kind, FULL=1 has 1,000 of each.
"""

from __future__ import annotations

import os
import sys
import zlib
from concurrent.futures import ProcessPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import beta

from tests.benchmarks.peers import environment
from tests.benchmarks.peers.changes_by_river import changes_by_river
from tests.benchmarks.results import Row, record, versions
from tests.benchmarks.simulation.stationary import KINDS, LIVE, Watched, watch

if TYPE_CHECKING:
    from collections.abc import Sequence

STREAMS = 1_000 if os.environ.get("FULL") else int(os.environ.get("BENCH_STREAMS", "334"))
RATES = (0.01, 0.05, 0.1)
ADWIN, BY_ADWIN = "ADWIN:0.002", 8
_CONFIDENCE, _TOGETHER = 0.95, 25
DUMMY = 1_000
Task = tuple[str, int, int]


def of_streams(task: Task) -> list[Watched]:
    """Watch consecutive streams of a kind. The task has its name, the number of the first stream, and their count."""
    kind, first, number = task
    found = []
    for stream in range(first, first + number):
        watched = watch(kind, np.random.default_rng([zlib.crc32(kind.encode()), stream]))
        # Results of single rows are dropped, because the rows of all streams would fill the memory.
        found.append(watched if stream < BY_ADWIN else Watched(watched.needed, watched.judged, watched.psi, None))
    return found


def interval(alarms: int, streams: int) -> tuple[float, float]:
    """Return the share's interval of Clopper and Pearson (Biometrika 1934) with a confidence of .95."""
    tail = (1 - _CONFIDENCE) / 2
    least = float(beta.ppf(tail, alarms, streams - alarms + 1)) if alarms else 0.0
    most = float(beta.ppf(1 - tail, alarms + 1, streams - alarms)) if alarms < streams else 1.0
    return least, most


def of_kind(kind: str, watched: Sequence[Watched]) -> list[Row]:
    """Return the shares of the streams with an alarm, and the figures of the peers."""
    rows = [row for rate in RATES for row in _of_rate(kind, watched, rate)]
    rows.append(_row(f"{kind}: share of the components judged", float(np.mean([each.judged for each in watched]))))
    rows.append(
        _row(f"{kind}: share with an alarm, PSI by windows", float(np.mean([each.psi > 0 for each in watched])))
    )
    if series := {str(at): each.values for at, each in enumerate(watched) if each.values is not None}:
        changes = [len(places) for places in changes_by_river(series, [ADWIN]).values()]
        rows.append(_row(f"{kind}: share with an alarm, ADWIN", float(np.mean([each > 0 for each in changes]))))
        rows.append(_row(f"{kind}: alarms per stream, ADWIN", float(np.mean(changes))))
    rows.append(_row(f"{kind}: share with an alarm, every {DUMMY:,} rows", float(LIVE >= DUMMY)))
    return rows


def _of_rate(kind: str, watched: Sequence[Watched], rate: float) -> list[Row]:
    alarms = sum(each.needed <= rate for each in watched)
    share, (_, most) = alarms / len(watched), interval(alarms, len(watched))
    name, used = f"{kind}: share with an alarm at {rate:g}", versions("numpy", "scipy")
    return [
        Row("stationary", name, share, None, "", f"at most {rate:g}", share <= rate, used),
        _row(f"{name}, upper end of its interval", most),
        _row(f"{name}, streams", len(watched)),
    ]


def _row(name: str, ours: float) -> Row:
    used = versions("numpy", "scipy") | environment.DRIFT.versions
    return Row("stationary", name, ours, None, "", "shown", met=True, versions=used)


def main() -> int:
    """Watch the streams on two processes, and record."""
    tasks = [(kind, first, min(_TOGETHER, STREAMS - first)) for kind in KINDS for first in range(0, STREAMS, _TOGETHER)]
    by_kind: dict[str, list[Watched]] = {kind: [] for kind in KINDS}
    with ProcessPoolExecutor(2) as pool:
        for (kind, *_), watched in zip(tasks, pool.map(of_streams, tasks), strict=True):
            by_kind[kind] += watched
    rows = [row for kind, watched in by_kind.items() for row in of_kind(kind, watched)]
    groups = {
        "all independent": [each for kind, (_, free) in KINDS.items() if free for each in by_kind[kind]],
        "all correlated": [each for kind, (_, free) in KINDS.items() if not free for each in by_kind[kind]],
    }
    return record(
        [*rows, *(row for name, all_of in groups.items() for rate in RATES for row in _of_rate(name, all_of, rate))]
    )


if __name__ == "__main__":
    sys.exit(main())
