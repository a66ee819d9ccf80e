"""The event of a closed window of a version that was replaced. It has only the window's figures.

A replaced version answers no requests, so it has no evidence and no alarms.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rondo.contracts.vocabularies import WindowRole
from rondo.monitor.alerts import findings
from rondo.monitor.history.closed_window import ClosedWindow
from rondo.monitor.statistics.slice_figures import group_gaps

if TYPE_CHECKING:
    from rondo.monitor.alerts.findings import Announcement, Subject
    from rondo.monitor.alerts.version_alarms import LabelledWindow
    from rondo.monitor.evidence.reference import Reference

NO_VERDICT = "another version serves now, so nothing is judged"


def closed(subject: Subject, window: LabelledWindow, reference: Reference) -> Announcement:
    """Build the event of a closed window of a replaced version. `subject` names the version."""
    kept = ClosedWindow(
        **window.window.model_dump(),
        model_version=subject.version,
        role=WindowRole.REPLACED,
        labelled_rows=window.labelled_rows,
        statistics=window.statistics,
        slices=window.slices,
        gaps=group_gaps(window.slices, reference),
        no_verdict=NO_VERDICT,
        estimates=window.estimates,
        cost=window.cost,
    )
    return findings.closed(subject, kept, window.bins)
