"""A bound on the windows of a version that is not champion yet, so that their memory does not grow with time."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rondo.monitor.windows.unmatched_rows import UnmatchedRows
    from rondo.monitor.windows.window_counts import OpenWindows

MAX_CANDIDATE_WINDOWS = 8


def discard_older(windows: OpenWindows, unmatched: UnmatchedRows, version: int) -> int | None:
    """Discard all but the newest windows of a version, and the predictions in the discarded ones.

    Returns the start of the oldest remaining window. None if nothing was discarded.
    """
    starts = sorted(start for each, start in windows if each == version)
    if len(starts) <= MAX_CANDIDATE_WINDOWS:
        return None
    oldest = starts[-MAX_CANDIDATE_WINDOWS]
    for start in starts[:-MAX_CANDIDATE_WINDOWS]:
        del windows[version, start]
    others = unmatched.predictions.column("version").to_numpy() != version
    recent = unmatched.predictions.column("event_time").to_numpy() >= oldest
    unmatched.keep_predictions(others | recent)
    return oldest
