"""The settings of messages about alerts."""

from __future__ import annotations

from datetime import timedelta

import pytest
from rondo.chassis.settings import SettingsError
from rondo.contracts.vocabularies import Severity
from rondo.monitor.settings import MonitorSettings

from tests.monitor.fakes import ENVIRONMENT
from tests.support.settings import load

MONITOR = ENVIRONMENT | {"RONDO_POSTGRES": "postgresql://x"}


@pytest.mark.parametrize(
    ("text", "distances"),
    [("1d,7d", [86_400, 604_800]), (" 90m ", [5_400]), ("", [])],
)
def test_the_distances_are_durations(text: str, distances: list[int]) -> None:
    policy = load(MonitorSettings, MONITOR | {"RONDO_ALERT_REPEAT": text, "RONDO_ALERT_GROUP_WAIT": "5"}).messages
    assert ([each.total_seconds() for each in policy.repeat], policy.group_wait) == (distances, timedelta(seconds=5))


def test_the_least_severity_of_a_message_is_one_of_the_severities() -> None:
    assert load(MonitorSettings, MONITOR).messages.least == Severity.INFO
    chosen = load(MonitorSettings, MONITOR | {"RONDO_ALERT_MIN_SEVERITY": "warning"})
    assert chosen.messages.least == Severity.WARNING
    with pytest.raises(SettingsError) as error:
        load(MonitorSettings, MONITOR | {"RONDO_ALERT_MIN_SEVERITY": "warn"})
    wanted = ("RONDO_ALERT_MIN_SEVERITY", "info", "warning", "critical")
    assert [each for each in wanted if each not in str(error.value)] == []


@pytest.mark.parametrize("text", ["30s", "1d,0s"])
def test_distances_between_messages_are_a_minute_at_least(text: str) -> None:
    with pytest.raises(SettingsError) as error:
        load(MonitorSettings, MONITOR | {"RONDO_ALERT_REPEAT": text})
    assert "a distance between two messages is a minute at least" in str(error.value)


@pytest.mark.parametrize("text", ["daily", "1d;7d"])
def test_a_text_that_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(SettingsError):
        load(MonitorSettings, MONITOR | {"RONDO_ALERT_REPEAT": text})
