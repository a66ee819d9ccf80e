"""The status of replaced versions whose windows still accept outcomes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rondo.contracts.events.base import Value
from rondo.contracts.times import Utc
from rondo.monitor.windows.tumbling import to_time

if TYPE_CHECKING:
    from rondo.monitor.model_state import ModelState


class ReplacedStatus(Value):
    """The open windows of a version that no longer serves: their number, their rows, and their rows with an outcome.

    The last window closes once event time and the times of the outcomes have passed `closes`.
    """

    version: int
    windows: int
    rows: int
    labelled_rows: int
    closes: Utc


def replaced_statuses(state: ModelState) -> tuple[ReplacedStatus, ...]:
    """Return the status of each replaced version with open windows, the newest version first."""
    tumbling = state.tumbling
    if tumbling is None:
        return ()
    found = []
    versions = {version for version, _ in state.windows if state.history.is_replaced(version)}
    for version in sorted(versions, reverse=True):
        mine = {start: counts for (v, start), counts in state.windows.items() if v == version}
        found.append(
            ReplacedStatus(
                version=version,
                windows=len(mine),
                rows=sum(each.rows for each in mine.values()),
                labelled_rows=sum(each.labelled_rows for each in mine.values()),
                closes=to_time(tumbling.close_time(max(mine))),
            )
        )
    return tuple(found)
