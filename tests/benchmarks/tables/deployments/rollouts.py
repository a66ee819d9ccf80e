"""`make bench ONLY=rollouts`: rollouts of models of known quality, decided as the registry decides, see `rollouts`.

An equal candidate is to be rolled back at the stated rate at most, although the evidence is evaluated every minute.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tests.benchmarks.results import Row, record, versions
from tests.benchmarks.simulation.rollouts import EQUAL, WORSE_BY_1, WORSE_BY_3, Ended, Traffic, holdout, plan, play

if TYPE_CHECKING:
    from collections.abc import Iterator

RATE = 0.05
EQUAL_RUNS, OTHER_RUNS = 1_000, 200
CAUGHT = 0.95
DAY = 24 * 60


@dataclass(frozen=True)
class Setting:
    """Traffic, and the minutes of the holdout from which the stakes come. 0: there is none."""

    name: str
    traffic: Traffic
    holdout: int


SETTINGS = (
    Setting("independent rows", Traffic(1_000, 60, 0, shocks=False), 240),
    Setting("independent rows, no holdout", Traffic(1_000, 60, 0, shocks=False), 0),
    Setting("outcomes after 20 minutes", Traffic(1_000, 60, 20, shocks=False), 240),
    Setting("outcomes that depend on the answer", Traffic(1_000, 8 * 60, 0, shocks=False, by_answer=True), 240),
    Setting("shocks of an hour", Traffic(20, 3 * DAY, 0, shocks=True), 14 * DAY),
    Setting("the same, 20 times as dense as the holdout", Traffic(20, 3 * DAY, 0, shocks=True, density=20), 14 * DAY),
)


def runs(setting: Setting, noise: float, count: int) -> list[Ended]:
    """Play rollouts, each with its own holdout."""
    found = []
    for seed in range(count):
        rng = np.random.default_rng((seed, round(1_000 * noise)))
        known = holdout(setting.traffic, noise, setting.holdout, rng) if setting.holdout else None
        found.append(play(setting.traffic, noise, plan(setting.traffic, known), rng))
    return found


def _share(ended: list[Ended], state: str) -> float:
    return sum(each.state == state for each in ended) / len(ended)


def _answers(name: str, ended: list[Ended], state: str) -> Iterator[Row]:
    """Yield the median of the candidates' answers until one of the possible ends."""
    if answers := [each.answers for each in ended if each.state == state]:
        yield _row(name, float(np.median(answers)))


def of_setting(setting: Setting) -> Iterator[Row]:
    """Yield the results of equal and of worse candidates."""
    equal = runs(setting, EQUAL, EQUAL_RUNS)
    back = _share(equal, "rolled_back")
    yield _row(f"{setting.name}: equal, rolled back", back, f"at most {RATE:g}", met=back <= RATE)
    yield _row(f"{setting.name}: equal, promoted", _share(equal, "watching"))
    yield from _answers(f"{setting.name}: equal, answers until promoted", equal, "watching")
    for name, noise in (("worse by 3 points", WORSE_BY_3), ("worse by 1 point", WORSE_BY_1)):
        worse = runs(setting, noise, OTHER_RUNS)
        caught = _share(worse, "rolled_back")
        if noise == WORSE_BY_3 and setting.holdout:
            yield _row(f"{setting.name}: {name}, rolled back", caught, f"at least {CAUGHT:g}", met=caught >= CAUGHT)
        else:
            yield _row(f"{setting.name}: {name}, rolled back", caught)
        yield _row(f"{setting.name}: {name}, promoted", _share(worse, "watching"))
        yield from _answers(f"{setting.name}: {name}, answers until rolled back", worse, "rolled_back")


def _row(name: str, value: float, goal: str = "shown", *, met: bool = True) -> Row:
    return Row("rollouts", name, value, None, "", goal, met, versions("numpy"))


def main() -> int:
    """Simulate, and record each setting when it is done, because all of them take more than an hour."""
    return max([record(list(of_setting(setting))) for setting in SETTINGS])


if __name__ == "__main__":
    sys.exit(main())
