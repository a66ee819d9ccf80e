"""`make bench ONLY=kills`: canaries during seeded kills of a replica, the registry and the broker.

An independent reader of the topics counts requests, answers and their order by key, and compares each rollout with the
evidence about it. BENCH_COUNT sets the number of requests, with a kill for each 6,667 of them.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from rondo.client import AsyncRondo, Connection
from rondo.embedded.stack import Stack

from tests.benchmarks.results import Row, record, versions
from tests.e2e.rollouts.kills import Kills, Play, contradictions, counted

if TYPE_CHECKING:
    from tests.e2e.rollouts.kills import Counted, Rolled

REQUESTS = int(os.environ.get("BENCH_COUNT", "200000"))
KILLS = max(3, round(REQUESTS * 30 / 200_000))
SEED = 11


async def measure(folder: Path) -> tuple[Counted, list[Rolled], int]:
    """Return the counts of the topics, the end of each rollout, and the number of killed processes."""
    async with Stack(folder / "home") as stack:
        connection = Connection.of_stack(stack.home)
        async with AsyncRondo(connection) as rondo:
            kills = Kills(stack, SEED, KILLS, REQUESTS)
            play = Play(stack, rondo, kills, REQUESTS)
            await play.run(folder)
            return await counted(connection.kafka, play.rides.sent), play.rolled, len(kills.done)


def table(found: Counted, rolled: list[Rolled], killed: int) -> list[Row]:
    """Return the rows of a run."""
    problems = [problem for each in rolled for problem in contradictions(each, found)]
    for problem in problems:
        sys.stderr.write(f"{problem}\n")
    bad = [each for each in rolled if each.is_bad]
    title = f"{killed} kills, {len(found.requests):,} requests, {len(rolled)} canaries"
    figures = {"lost": found.lost, "answered twice": found.doubled, "answers out of order by key": found.out_of_order}
    rows = [_row(f"{title}: {name}", figure, "0", met=not figure) for name, figure in figures.items()]
    rows.append(_row("rollouts that are not as their evidence says", len(problems), "0", met=not problems))
    rows.append(_row("kills while a canary ran", killed, str(KILLS), met=killed == KILLS))
    back = sum(each.state == "rolled_back" for each in bad)
    rows.append(_row("bad candidates rolled back", back, f"{len(bad)}", met=back == len(bad)))
    answers = sorted(each.answers for each in bad)
    rows.append(_row("answers of a bad candidate before that, median", answers[len(answers) // 2] if answers else 0))
    return rows


def _row(name: str, value: float, goal: str = "shown", *, met: bool = True) -> Row:
    return Row("kills", name, value, None, "", goal, met, versions("confluent-kafka", "asyncpg", "onnxruntime"))


def main() -> int:
    """Measure and record."""
    with tempfile.TemporaryDirectory() as folder:
        return record(table(*asyncio.run(measure(Path(folder)))))


if __name__ == "__main__":
    sys.exit(main())
