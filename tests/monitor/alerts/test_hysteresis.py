"""Transitions of an alarm."""

from __future__ import annotations

from rondo.monitor.alerts.hysteresis import AlarmState


def transitions(periods: str, consecutive: int = 2) -> list[tuple[str, int]]:
    """Return each transition with the number of its period. `o` is a period over the threshold, `u` one under it."""
    alarm, found = AlarmState(), []
    for number, period in enumerate(periods):
        alarm, transition = alarm.observe(str(number), consecutive, exceeded=period == "o")
        if transition == "raised":
            assert alarm.alert_id == str(number)
        if transition != "none":
            found.append((transition, number))
    return found


def test_one_period_is_not_enough() -> None:
    assert transitions("uouou") == []


def test_an_alarm_is_raised_once_until_it_recovers() -> None:
    assert transitions("uoooooo") == [("raised", 2)]
    assert transitions("ooooooo", consecutive=3) == [("raised", 2)]
    assert transitions("oouuoo") == [("raised", 1), ("recovered", 3), ("raised", 5)]


def test_one_period_under_the_threshold_is_no_recovery() -> None:
    assert transitions("oououou") == [("raised", 1)]


def test_with_one_consecutive_period_an_alarm_is_raised_immediately() -> None:
    assert transitions("ou", consecutive=1) == [("raised", 0), ("recovered", 1)]
