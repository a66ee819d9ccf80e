"""The alerts that a user's detector has no figures of a window, or of blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rondo.contracts.vocabularies import AlertKind
from rondo.monitor.alerts import findings

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from rondo.monitor.alerts.findings import Announcement, Subject


def raised(subject: Subject, failures: Sequence[str], at: datetime) -> Announcement:
    """Build the alert.

    The windows are reported without the figures of the failed detectors, and monitoring continues.
    """
    detail = (
        f"{'; '.join(failures)}. Correct it in the folder RONDO_DETECTORS and restart the monitor, or remove it "
        "from `monitor.detectors` of the spec. Its figures of the windows until then are not computed later."
    )
    return findings.warning(subject, AlertKind.DETECTOR_FAILED, "a detector of your own reports nothing", detail, at)


def without_verdict(subject: Subject, failures: Sequence[str], at: datetime) -> Announcement:
    """Build the alert that blocks have no figures, so that a detector can't find a change in them."""
    detail = (
        f"{'; '.join(failures)}. Blocks without its figures are left out, so it finds no change in them. Correct it in "
        "the folder RONDO_DETECTORS and restart the monitor, or remove it from `monitor.alarm_detectors` of the spec. "
        "All other evidence continues."
    )
    return findings.warning(
        subject, AlertKind.NO_DETECTOR_VERDICT, "a detector of your own can't raise the alarm", detail, at
    )
