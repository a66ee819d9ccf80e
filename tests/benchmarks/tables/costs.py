"""`make bench ONLY=costs`: errors and trainings together, over twelve simulated years, at four prices of a training.

An error costs 1 and a training 10 to 10,000. Rondo has both (`training_cost`, `error_cost`). CARA chooses among
the settings of its three variants, those that cost least on another stream of the same kind. The oracle knows when the
concept changes, and chooses in hindsight. The dummy trains each week. FULL=1 plays five streams of each kind.
"""

from __future__ import annotations

import os
import sys
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from statistics import mean
from typing import TYPE_CHECKING

from rondo.trainer.adaptation.growth import Costs

from tests.benchmarks.peers import environment
from tests.benchmarks.results import Row, record, versions
from tests.benchmarks.simulation.comparing import Comparing
from tests.benchmarks.simulation.policies import EveryChunks, Never, adwin
from tests.benchmarks.simulation.prequential import Models, play
from tests.benchmarks.simulation.years import KINDS, cost, oracle, tuned, years

if TYPE_CHECKING:
    from tests.benchmarks.simulation.prequential import Policy

SEEDS = range(1, 6) if os.environ.get("FULL") else range(1, 2)
PRICES = (10, 100, 1_000, 10_000)
MOST = 1.3
RONDO, ORACLE = "Rondo", "an oracle"
OURS = {RONDO, ORACLE}
Costing = dict[tuple[int, str], float]
"""The cost by price of a training, and policy."""


def of_stream(kind: str, seed: int) -> Costing:
    """Return what the policies cost on a stream."""
    models, other = Models(years(kind, seed)), Models(years(kind, 100 + seed))
    found: Costing = {}
    with ExitStack() as stack:
        fixed: dict[str, Policy | None] = {
            "never": Never(), "weekly": EveryChunks(1), "on ADWIN, its window": stack.enter_context(adwin("window")),
            "on ADWIN, all rows": stack.enter_context(adwin("all")),
        }  # fmt: skip
        for name, policy in fixed.items():
            if policy is not None:
                played = play(models, policy)
                found |= {(price, name): cost(played, price) for price in PRICES}
    settings = tuned(other, PRICES)
    for price in PRICES:
        found[price, "CARA"] = cost(play(models, settings[price]), price)
        found[price, RONDO] = cost(play(models, Comparing(costs=Costs(price, 1.0))), price)
        found[price, ORACLE] = oracle(models, kind, price)
    return found


def table(found: dict[tuple[str, int], Costing]) -> list[Row]:
    """Return the costs by kind, price and policy, the means over seeds."""
    rows = []
    for kind in KINDS:
        each = [costing for (of, _), costing in found.items() if of == kind]
        for price in PRICES:
            means = {name: mean(costing[price, name] for costing in each) for at, name in each[0] if at == price}
            least = min(value for name, value in means.items() if name not in OURS)
            for name, value in means.items():
                rows.append(_row(f"{kind}, a training costs {price:,}: {name}", value))
            what, ours = f"{kind}, a training costs {price:,}: {RONDO} beside", means[RONDO]
            rows.append(_row(f"{what} the least of the others", ours, least, "no more than any other", 1.0))
            rows.append(_row(f"{what} the oracle", ours, means[ORACLE], f"{MOST} times at most", MOST))
    return rows


def _row(name: str, ours: float, peer: float | None = None, goal: str = "shown", most: float = 1.0) -> Row:
    used = versions("lightgbm", "numpy") | environment.DRIFT.versions
    met = peer is None or ours <= most * peer
    return Row("costs", name, ours, peer, "", goal, met, used, ratio=ours / peer if peer else None)


def main() -> int:
    """Play and record, on two processes."""
    environment.DRIFT.python()  # made before there are two processes
    tasks = [(kind, seed) for seed in SEEDS for kind in KINDS]
    with ProcessPoolExecutor(2) as pool:
        return record(table(dict(zip(tasks, pool.map(of_stream, *zip(*tasks, strict=True)), strict=True))))


if __name__ == "__main__":
    sys.exit(main())
