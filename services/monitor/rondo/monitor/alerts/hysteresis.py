"""Hysteresis: an alarm is raised after several consecutive periods over a threshold, and recovers after as many under.

Two thresholds instead of one keep a value near the threshold from switching the alarm on and off (Schmitt, "A
thermionic trigger", Journal of Scientific Instruments 15, 1938). This implementation has one threshold and two counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Transition = Literal["none", "raised", "recovered"]


@dataclass(frozen=True)
class AlarmState:
    """The state of an alarm. `alert_id` is that of the raised alert, if there is one.

    `periods` is the number of last consecutive periods over the threshold without an alert, or under it with one.
    """

    periods: int = 0
    alert_id: str | None = None

    def observe(self, alert_id: str, consecutive: int, *, exceeded: bool) -> tuple[AlarmState, Transition]:
        """Return the state after a period. If it raises an alert, the alert has the id `alert_id`."""
        if exceeded == (self.alert_id is not None):
            return AlarmState(0, self.alert_id), "none"
        if self.periods + 1 < consecutive:
            return AlarmState(self.periods + 1, self.alert_id), "none"
        return (AlarmState(0, alert_id), "raised") if exceeded else (AlarmState(), "recovered")
