"""Judges the windows that are over, and says what was found."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rondo.monitor import alerts
from rondo.monitor.alarm import KINDS
from rondo.monitor.judgement import judge
from rondo.monitor.ringing import ring

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rondo.contracts.spec import ModelSpec
    from rondo.monitor.alerts import Announcement, Subject
    from rondo.monitor.judgement import Verdict
    from rondo.monitor.reference import Reference
    from rondo.monitor.watch import Watch


def close(watch: Watch, spec: ModelSpec, reference: Reference, *, outcomes_idle: bool) -> Iterator[Announcement]:
    """Judge the champion's windows that are ripe, in order, and say what was found."""
    for start in watch.ripe(outcomes_idle=outcomes_idle):
        subject, sketch = watch.pop(start)
        verdict = judge(sketch, reference, spec.monitor)
        yield alerts.closed(subject, verdict)
        yield from _ring(watch, subject, verdict, start, spec.monitor.consecutive)


def _ring(watch: Watch, subject: Subject, verdict: Verdict, start: int, consecutive: int) -> Iterator[Announcement]:
    for kind in KINDS:
        watch.alarms[kind], said = ring(watch.alarms[kind], kind, subject, verdict, start, consecutive)
        yield from said
