"""Judges the windows that are over, and says what was found."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rondo.monitor.alerts import findings
from rondo.monitor.alerts.hysteresis import KINDS
from rondo.monitor.alerts.ringing import ring
from rondo.monitor.detectors.evaluate import judge

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rondo.contracts.spec.model import ModelSpec
    from rondo.monitor.alerts.findings import Announcement, Subject
    from rondo.monitor.detectors.evaluate import Verdict
    from rondo.monitor.detectors.reference import Reference
    from rondo.monitor.model_state import Watch


def close(watch: Watch, spec: ModelSpec, reference: Reference, *, outcomes_idle: bool) -> Iterator[Announcement]:
    """Judge the champion's windows that are ripe, in order, and say what was found."""
    for start in watch.ripe(outcomes_idle=outcomes_idle):
        subject, sketch = watch.pop(start)
        verdict = judge(sketch, reference, spec.monitor)
        yield findings.closed(subject, verdict)
        yield from _ring(watch, subject, verdict, start, spec.monitor.consecutive)


def _ring(watch: Watch, subject: Subject, verdict: Verdict, start: int, consecutive: int) -> Iterator[Announcement]:
    for kind in KINDS:
        watch.alarms[kind], said = ring(watch.alarms[kind], kind, subject, verdict, start, consecutive)
        yield from said
