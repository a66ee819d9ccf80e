"""The alert that a detector of the user's own has no figures of a window."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from rondo.contracts.events.monitoring import AlertRaised
from rondo.contracts.vocabularies import AlertKind, Severity
from rondo.monitor.alerts.findings import Announcement

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from rondo.monitor.alerts.findings import Subject


def raised(subject: Subject, failures: Sequence[str], at: datetime) -> Announcement:
    """Build the alert. The windows are reported without these figures, and everything else goes on."""
    kind = AlertKind.DETECTOR_FAILED
    alert_id = hashlib.sha256(f"{subject.model}/{subject.version}/{kind}/{at.isoformat()}".encode()).hexdigest()[:32]
    alert = AlertRaised(
        model=subject.model,
        alert_id=alert_id,
        kind=kind,
        model_version=subject.version,
        severity=Severity.WARNING,
        title=f"{subject.model} version {subject.version}: a detector of your own reports nothing",
        detail=f"{'; '.join(failures)}. Correct it in the folder RONDO_DETECTORS and restart the monitor, or remove it "
        "from `monitor.detectors` of the spec. Its figures of the windows until then are not computed later.",
        raised_at=at,
    )
    return Announcement(alert, f"{alert_id}-raised")
