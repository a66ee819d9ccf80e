"""Builders of alarms, and of the evidence behind them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
from rondo.monitor.alerts.findings import Subject
from rondo.monitor.evidence.component_sums import Component
from rondo.monitor.evidence.component_tests.watched import Alarm
from rondo.monitor.evidence.staged_test import Change

from tests.monitor.builders import EPOCH, MODEL

if TYPE_CHECKING:
    from datetime import datetime

    from rondo.monitor.evidence.component_sums import Group

DAY = 86_400_000_000
SUBJECT = Subject(MODEL, 3, 0.01, labelled_rows=1_234)


def at(day: float) -> datetime:
    return EPOCH + timedelta(days=day)


def micros(day: float) -> int:
    return int(at(day).timestamp()) * 1_000_000


def alarm(
    group: Group, column: str | None, name: str, evidence: float = 10.0, since: float = 4, value: str | None = None
) -> Alarm:
    """Return an alarm of a change from 0.1 to 0.6 that began on day `since`, give or take a day, until day 9."""
    change = Change(micros(since), micros(since - 1), micros(since + 1), 0.1, 0.6, 700)
    return Alarm(Component(group, column, name, 0, value), evidence, float(np.log(2_400)), lambda: change, micros(9))
