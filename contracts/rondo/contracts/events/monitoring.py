"""What the monitor says: what changed, since when, by how much, with which evidence; and alerts for people."""

from __future__ import annotations

from typing import Annotated, ClassVar

from rondo.contracts import vocabularies
from rondo.contracts.events.base import ModelEvent, Value
from rondo.contracts.text import Message, Text
from rondo.contracts.times import Utc
from rondo.contracts.vocabularies import Severity, open_to


class Window(Value):
    """A window of event time, `[start, end)`, and the rows that fell into it."""

    start: Utc
    end: Utc
    rows: int


class FeatureDrift(Value):
    """How far one feature is from its reference: PSI, Kolmogorov-Smirnov distance, and the bound on the PSI."""

    feature: Text
    psi: float
    ks: float
    threshold: float


class QualityProblem(Value):
    """A share of rows (0 to 1) that are missing or never seen in the reference, against the share there."""

    feature: Text
    problem: Annotated[Text, open_to(vocabularies.QualityProblem)]
    observed: float
    reference: float


class Finding(ModelEvent):
    """What every finding of the monitor says. `finding_id` is a function of version, kind and window alone."""

    finding_id: Text
    model_version: int
    window: Window
    since: Utc


class DriftDetected(Finding):
    """The inputs of a model are no longer what it was trained on."""

    topic: ClassVar[str] = "drift.detected"

    features: tuple[FeatureDrift, ...]


class PerformanceDegraded(Finding):
    """The outcomes say that a model is worse than it was on its holdout."""

    topic: ClassVar[str] = "performance.degraded"

    metric: Text
    reference: float
    observed: float
    labelled_rows: int


class DataQualityDegraded(Finding):
    """The requests lack values, or carry values, that the training data did not."""

    topic: ClassVar[str] = "quality.degraded"

    problems: tuple[QualityProblem, ...]


class WindowClosed(Finding):
    """The monitor finished a window: every figure, whether it alarms or not (for dashboards and the live view)."""

    topic: ClassVar[str] = "windows.closed"

    features: tuple[FeatureDrift, ...]
    labelled_rows: int = 0
    observed: float | None = None
    reference: float | None = None


class AlertRaised(ModelEvent):
    """People should know: `title` in a line, `detail` with the figures and what happens next."""

    topic: ClassVar[str] = "alerts.raised"

    alert_id: Text
    severity: Annotated[Text, open_to(Severity)]
    title: Message
    detail: Message
    raised_at: Utc


class AlertResolved(ModelEvent):
    """What an alert spoke of is over."""

    topic: ClassVar[str] = "alerts.resolved"

    alert_id: Text
    detail: Message
    resolved_at: Utc
