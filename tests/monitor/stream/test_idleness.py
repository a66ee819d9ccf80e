"""The conditions under which a stream counts as idle."""

from __future__ import annotations

from rondo.monitor.stream.idleness import IdlenessTracker

from tests.monitor.builders import MODEL


def armed() -> IdlenessTracker:
    tracker = IdlenessTracker()
    tracker.arm(0.0)
    return tracker


def test_each_stream_is_idle_once_it_was_inactive_for_the_timeout() -> None:
    tracker = armed()
    tracker.touch(MODEL, "predictions", 0.5)
    idle = [
        [tracker.idle(MODEL, stream, 1.0, now) for now in (0.9, 1.0, 1.4, 1.5)]  # type: ignore[arg-type]
        for stream in ("predictions", "outcomes")
    ]
    assert idle == [[False, False, False, True], [False, True, True, True]]


def test_nothing_is_idle_until_the_tracker_is_armed() -> None:
    tracker = armed()
    tracker.touch(MODEL, "predictions", 0.0)
    tracker.reset()
    assert not tracker.idle(MODEL, "predictions", 1.0, 1_000.0)
    tracker.arm(1_000.0)
    assert [tracker.idle(MODEL, "predictions", 1.0, now) for now in (1_000.9, 1_001.0)] == [False, True]
