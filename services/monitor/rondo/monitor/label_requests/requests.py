"""Publishes the wanted outcomes, within the budget of the spec, so that a labelling tool can subscribe."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rondo.contracts.events.monitoring import LabelsWanted, WantedPrediction, Window
from rondo.monitor.alerts.findings import Announcement, Subject
from rondo.monitor.estimates.label_sampling import sampled, uniforms
from rondo.monitor.label_requests.periods import due_periods, last_end
from rondo.monitor.label_requests.wanted_labels import candidates
from rondo.monitor.stream.watermark import NEVER
from rondo.monitor.windows.tumbling import to_time

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from rondo.monitor.label_requests.periods import Period
    from rondo.monitor.model_state import ModelState

# An id has up to 256 characters, and a message has up to 1 MiB.
MOST_OF_AN_EVENT = 1_000


def request_labels(state: ModelState) -> list[Announcement]:
    """Return the label requests for the periods that have ended, and record in the state that they were requested.

    Call it before the due windows close. The record is part of the checkpoint with the published requests, so a restart
    requests nothing twice.
    """
    if state.champion is None or state.spec is None or state.tumbling is None or state.watermark.passed == NEVER:
        return []
    if state.spec.monitor.labels is None:
        state.labels_until = None
        return []
    until, window = state.labels_until, state.tumbling.length
    end = last_end(state.watermark.passed, window)
    if until is not None and end <= until:
        return []
    state.labels_until = end
    periods = due_periods(until, state.watermark.passed, window, state.spec.monitor.labels.budget_per_day)
    due = [each for each in periods if each.budget]
    if not due:
        return []
    # Predictions whose outcome has arrived already are not requested.
    state.settle()
    version = state.champion.version
    rows, unlabelled = candidates(state, version)
    return [each for period in due for each in _of_period(state.model, version, period, rows, unlabelled)]


def _of_period(model: str, version: int, period: Period, rows: pa.Table, unlabelled: int) -> Iterator[Announcement]:
    """Yield the requests for a period. `rows` and `unlabelled` are as `candidates` returns them."""
    times = rows.column("event_time").to_numpy()
    mine = np.flatnonzero((times >= period.start) & (times < period.end))
    # All predictions have the same probability, so that results from their losses hold for all predictions.
    ones, random = np.ones(len(mine)), uniforms(rows.column("id").take(mine))
    chosen, chances = sampled(np.zeros(len(mine), np.int64), ones, random, period.budget)
    open_ones = mine[chosen] < unlabelled
    numbers, chances = mine[chosen][open_ones], chances[open_ones]
    order = np.argsort(times[numbers], kind="stable")
    ids = rows.column("id").take(numbers[order]).to_pylist()
    wanted = [
        WantedPrediction(id=each, predicted_at=to_time(at), probability=chance)
        for each, at, chance in zip(ids, times[numbers[order]].tolist(), chances[order].tolist(), strict=True)
    ]
    window = Window(start=to_time(period.start), end=to_time(period.end), rows=len(mine))
    subject = Subject(model, version, 0.0, 0)
    for first in range(0, len(wanted), MOST_OF_AN_EVENT):
        event = LabelsWanted(
            model=model,
            model_version=version,
            window=window,
            budget=period.budget,
            wanted=tuple(wanted[first : first + MOST_OF_AN_EVENT]),
        )
        yield Announcement(event, subject.finding_id(f"labels/{first}", window.end))
