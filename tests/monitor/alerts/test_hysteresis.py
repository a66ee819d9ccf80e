"""Transitions of an alarm."""

from __future__ import annotations

from dataclasses import replace

from rondo.monitor.alerts.hysteresis import AlarmState


def transitions(windows: str, consecutive: int = 2) -> list[tuple[str, int | None]]:
    """Return each transition and its `since`; `o` is a window over the threshold, `u` under, `?` without a verdict."""
    alarm, found = AlarmState(), []
    for start, window in enumerate(windows):
        since = alarm.since
        alarm, transition = alarm.observe({"o": True, "u": False, "?": None}[window], start, consecutive)
        if transition == "raised":
            since, alarm = alarm.since, replace(alarm, alert_id="id")
        found.append((transition, since if transition != "none" else None))
    return [each for each in found if each[0] != "none"]


def test_one_window_is_not_enough() -> None:
    assert transitions("uouou") == []


def test_an_alarm_is_raised_once_until_it_recovers_and_repeated_while_it_lasts() -> None:
    assert transitions("uooo") == [("raised", 1)]
    assert transitions("uooooo") == [("raised", 1), ("lasts", 1)]
    assert transitions("ooooooo", consecutive=3) == [("raised", 0), ("lasts", 0)]
    assert transitions("oouoou") == [("raised", 0), ("lasts", 0)]
    assert transitions("oouuoo") == [("raised", 0), ("recovered", 0), ("raised", 4)]


def test_one_window_under_the_threshold_is_no_recovery() -> None:
    assert transitions("oououou") == [("raised", 0)]


def test_a_window_without_a_verdict_changes_nothing() -> None:
    assert transitions("o??o?u?u") == [("raised", 0), ("recovered", 0)]


def test_with_one_consecutive_window_an_alarm_is_raised_immediately() -> None:
    assert transitions("ou", consecutive=1) == [("raised", 0), ("recovered", 0)]
