"""Runs: events may arrive in any order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rondo.contracts.events.training import TrainingFailed, TrainingStarted
from rondo.registry.model import runs

Make = Callable[..., Any]


def test_a_run_that_ended_stays_ended_in_any_order_of_events(trained: Make) -> None:
    event = trained()
    begin = TrainingStarted(
        model="late", run_id="run-1", trigger=event.trigger, spec_digest=event.summary.spec_digest,
        started_at=event.started_at,
    )  # fmt: skip
    end = runs.trained(event)
    in_order = runs.merge(runs.merge(None, runs.started(begin)), end)
    reversed_order = runs.merge(runs.merge(None, end), runs.started(begin))
    assert in_order == reversed_order == end
    failure = runs.failed(
        TrainingFailed(model="late", run_id="run-1", trigger=event.trigger, reason="no memory", attempts=3),
        event.finished_at,
    )
    merged = runs.merge(failure, runs.started(begin))
    assert (merged.state, merged.started_at, merged.finished_at, merged.detail) == (
        "failed", event.started_at, event.finished_at, "no memory (after 3 attempts)",
    )  # fmt: skip
