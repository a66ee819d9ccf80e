"""Hysteresis: an alarm is raised after several periods in a row over a threshold, and recovers after as many under.

Two thresholds in the place of one keep a value near it from switching (Schmitt, "A thermionic trigger", Journal of
Scientific Instruments 15, 1938). Here it is one threshold and two counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Transition = Literal["none", "raised", "recovered"]


@dataclass(frozen=True)
class AlarmState:
    """`alert_id` is that of the raised alert.

    `periods` are the last ones in a row that are over the threshold without an alert, or under it with one.
    """

    periods: int = 0
    alert_id: str | None = None

    def observe(self, alert_id: str, consecutive: int, *, exceeded: bool) -> tuple[AlarmState, Transition]:
        """Return the state after a period. An alert that it raises has this id."""
        if exceeded == (self.alert_id is not None):
            return AlarmState(0, self.alert_id), "none"
        if self.periods + 1 < consecutive:
            return AlarmState(self.periods + 1, self.alert_id), "none"
        return (AlarmState(0, alert_id), "raised") if exceeded else (AlarmState(), "recovered")
