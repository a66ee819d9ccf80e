"""A model whose input x shifts and whose predictions then become worse: its status, and its closed windows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from rondo.monitor.history.closed_window import KeptWindow
from rondo.monitor.status.model_status import ModelStatus, model_status

from tests.monitor.builders import SPEC
from tests.monitor.scenarios import DailyScenario

if TYPE_CHECKING:
    from rondo.monitor.history.closed_window import ClosedWindow

SHIFTED, WORSE = 5, 6


@dataclass(frozen=True)
class Story:
    """A model's status, and its closed `windows`, the newest first. `kept` has them with their distributions."""

    status: ModelStatus
    windows: tuple[ClosedWindow, ...]
    kept: tuple[KeptWindow, ...]


@cache
def story(days: int = 10, *, shift: float = 0.8, skill: float = 0.2, missing: float = 0.0) -> Story:
    """Return a model after `days` days of 1,000 rows.

    `x` shifts on day `SHIFTED`, and the skill falls on day `WORSE`.
    """
    scenario = DailyScenario()
    kept: list[KeptWindow] = []
    for day in range(days):
        changed = shift if day >= SHIFTED else 0.0
        scenario.day(day, shift=changed, skill=skill if day >= WORSE else 1.0, missing=missing)
        scenario.state.settle()
        list(scenario.state.look(scenario.reference))
        closed = scenario.state.close_due_windows(scenario.references, outcomes_idle=True)
        profile = scenario.reference.profile
        kept += [KeptWindow(each.closed, each.bins, profile) for each in closed if each.closed]
    kept.reverse()
    windows = tuple(each.window for each in kept)
    return Story(model_status(scenario.state, SPEC, scenario.reference), windows, tuple(kept))
