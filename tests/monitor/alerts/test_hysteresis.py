"""Hysteresis."""

from __future__ import annotations

from dataclasses import replace

from rondo.monitor.alerts.hysteresis import Alarm, step


def changes(verdicts: str, consecutive: int = 2) -> list[tuple[str, int | None]]:
    """Return what each window changes and since when; `o` is over, `u` under, `?` can't be told."""
    alarm, found = Alarm(), []
    for start, letter in enumerate(verdicts):
        since = alarm.since
        alarm, change = step(alarm, {"o": True, "u": False, "?": None}[letter], start, consecutive)
        if change == "raised":
            since, alarm = alarm.since, replace(alarm, alert_id="id")
        found.append((change, since if change != "none" else None))
    return [each for each in found if each[0] != "none"]


def test_one_window_is_not_enough() -> None:
    assert changes("uouou") == []


def test_raised_once_until_it_has_recovered_and_told_again_while_it_lasts() -> None:
    assert changes("uooo") == [("raised", 1)]
    assert changes("uooooo") == [("raised", 1), ("lasts", 1)]
    assert changes("ooooooo", consecutive=3) == [("raised", 0), ("lasts", 0)]
    assert changes("oouoou") == [("raised", 0), ("lasts", 0)]
    assert changes("oouuoo") == [("raised", 0), ("recovered", 0), ("raised", 4)]


def test_one_good_window_is_no_recovery() -> None:
    assert changes("oououou") == [("raised", 0)]


def test_a_window_that_cannot_be_judged_changes_nothing() -> None:
    assert changes("o??o?u?u") == [("raised", 0), ("recovered", 0)]


def test_with_one_window_it_is_raised_at_once() -> None:
    assert changes("ou", consecutive=1) == [("raised", 0), ("recovered", 0)]
