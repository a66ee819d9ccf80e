"""Hysteresis: an alarm is raised after several periods in a row over a threshold, and recovers after as many under."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

Transition = Literal["none", "raised", "lasts", "recovered"]


@dataclass(frozen=True)
class AlarmState:
    """Periods in a row `over` and `under` the threshold, the start of the first one over, and the raised alert."""

    over: int = 0
    under: int = 0
    since: int | None = None
    alert_id: str | None = None

    def observe(self, exceeded: bool | None, start: int, consecutive: int) -> tuple[AlarmState, Transition]:  # noqa: FBT001 - a verdict
        """Return the state after the period that begins at `start`. None (not decided) changes nothing.

        The caller sets `alert_id` on `raised`. From then on every `consecutive` periods in a row over the threshold
        yield `lasts`, until `recovered`.
        """
        if exceeded is None:
            return self, "none"
        if exceeded:
            return self._observe_over(start, consecutive)
        if self.alert_id is None:
            return AlarmState(), "none"
        if self.under + 1 >= consecutive:
            return AlarmState(), "recovered"
        return replace(self, over=0, under=self.under + 1), "none"

    def _observe_over(self, start: int, consecutive: int) -> tuple[AlarmState, Transition]:
        after = replace(self, over=self.over + 1, under=0, since=start if self.since is None else self.since)
        if after.over % consecutive:
            return after, "none"
        return after, "raised" if self.alert_id is None else "lasts"
