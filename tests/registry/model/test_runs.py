"""Runs: events may arrive in any order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rondo.contracts.events.training import (
    Adaptation,
    TrainingFailed,
    TrainingNote,
    TrainingProgressed,
    TrainingStarted,
)
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


def test_a_run_shows_its_newest_trial_until_it_ends(trained: Make) -> None:
    event = trained()
    begin = TrainingStarted(
        model="late", run_id="run-1", trigger=event.trigger, spec_digest=event.summary.spec_digest,
        started_at=event.started_at,
    )  # fmt: skip
    first, second = (
        TrainingProgressed(
            model="late", run_id="run-1", trigger=event.trigger, trials=n, planned=40, metric="roc_auc", best=best
        )
        for n, best in ((1, None), (12, 0.7421))
    )
    began = runs.merge(None, runs.started(begin))
    searching = runs.merge(runs.merge(began, runs.progressed(first)), runs.progressed(second))
    assert (searching.state, searching.detail) == ("running", "trial 12 of 40, best ROC AUC 0.742")
    assert searching.started_at == event.started_at
    before_its_start = runs.merge(runs.merge(None, runs.progressed(first)), runs.started(begin))
    assert (before_its_start.detail, before_its_start.started_at) == ("trial 1 of 40", event.started_at)
    end = runs.trained(event)
    assert runs.merge(searching, end) == end
    assert runs.merge(end, runs.progressed(second)) == end


def test_a_run_shows_the_published_rows_that_it_left_out(trained: Make) -> None:
    event = trained()
    assert runs.trained(event).detail == ""
    codes = ("rows_without_feature", "constant")
    notes = tuple(TrainingNote(code=code, message=f"about {code}") for code in codes)
    noted = event.model_copy(update={"summary": event.summary.model_copy(update={"notes": notes})})
    assert runs.trained(noted).detail == "about rows_without_feature"


def test_a_run_shows_why_it_took_its_rows(trained: Make) -> None:
    event = trained()
    chosen = Adaptation(strategy="fading", rows=900, since=event.started_at, reason="fading rows lead")
    summary = event.summary.model_copy(update={"adaptation": chosen})
    assert runs.trained(event.model_copy(update={"summary": summary})).detail == "fading rows lead"
