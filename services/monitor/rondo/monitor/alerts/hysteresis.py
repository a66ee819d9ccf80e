"""Hysteresis: an alarm takes several windows in a row to be raised, and as many to be over.

One alarm for each kind of finding of the version in production; a promotion begins with fresh ones. While it lasts,
the finding is told again every so many windows: a first telling may have met a cooldown, a failed run or a gate
that refused the candidate, and a loop that then fell silent would need somebody to be awake.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

Kind = Literal["drift", "performance", "quality"]
KINDS: tuple[Kind, ...] = ("drift", "performance", "quality")
Change = Literal["none", "raised", "lasts", "recovered"]


@dataclass(frozen=True)
class Alarm:
    """Windows in a row over and under the threshold; `since`, the start of the first one over; the raised alert."""

    over: int = 0
    under: int = 0
    since: int | None = None
    alert_id: str | None = None


def step(alarm: Alarm, over: bool | None, start: int, consecutive: int) -> tuple[Alarm, Change]:  # noqa: FBT001 - a verdict
    """Take in the verdict on the window that begins at `start`; None (too few rows to tell) changes nothing.

    The caller sets `alert_id` when the answer is `raised`. From then on `lasts` is answered every `consecutive` windows
    in a row over the threshold, until `recovered`.
    """
    if over is None:
        return alarm, "none"
    if over:
        alarm = replace(alarm, over=alarm.over + 1, under=0, since=start if alarm.since is None else alarm.since)
        if alarm.over % consecutive:
            return alarm, "none"
        return alarm, "raised" if alarm.alert_id is None else "lasts"
    if alarm.alert_id is None:
        return Alarm(), "none"
    if alarm.under + 1 >= consecutive:
        return Alarm(), "recovered"
    return replace(alarm, over=0, under=alarm.under + 1), "none"
