"""Scores a model on its holdout, and chooses its threshold or the width of its interval on other rows."""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING

from rondo.contracts.events.training import TrainingNote
from rondo.contracts.tasks.registry import task_named
from rondo.contracts.vocabularies import NoteCode
from rondo.trainer.dataset.columns import targets
from rondo.trainer.dataset.split import calibration
from rondo.trainer.evaluation.metrics import metrics
from rondo.trainer.evaluation.metrics.scored import Scored

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

    from rondo.contracts.spec.model import ModelSpec

_STANDARD_ERRORS = 3


def score_holdout(
    spec: ModelSpec,
    classes: tuple[str, ...],
    holdout: pl.DataFrame,
    predict: Callable[[pl.DataFrame], NDArray[np.float64]],
) -> tuple[pl.DataFrame, Scored]:
    """Return the rows that evaluate a model, and its outputs for them. `predict` gives the raw predictions of rows."""
    task, (choosing, evaluating) = task_named(spec.task), calibration(spec, holdout)
    # All rows are predicted at once: the holdout has been prepared already.
    raw, found = predict(holdout), targets(spec, choosing, classes)
    fitted = task.fitted(classes, spec.prediction.model_dump(), raw[: choosing.height], found)
    if evaluating is not choosing:
        raw, found = raw[choosing.height :], targets(spec, evaluating, classes)
    return evaluating, Scored(fitted, found, task.predictions(fitted, raw))


def coverage_notes(scored: Scored) -> Iterator[TrainingNote]:
    """Yield a note if an interval covers fewer rows of the holdout than it states, by more than chance explains."""
    covered, interval = metrics.compute("interval_coverage", scored), scored.task.interval
    if covered is None or interval is None:
        return
    # The width is itself an estimate, from the rows that it was chosen on.
    chosen_on = scored.task.chosen_on
    inverse = 1 / len(scored) + (1 / chosen_on if chosen_on else 0.0)
    error = sqrt(interval.coverage * (1 - interval.coverage) * inverse)
    if covered < interval.coverage - _STANDARD_ERRORS * error:
        message = (
            f"the interval covers {covered:.1%} of the {len(scored):,} rows of the holdout that evaluate it, and"
            f" `prediction.interval` states {interval.coverage:.4g}: the errors may have been smaller in the rows that"
            f" chose its width. The monitor compares with {covered:.1%}; `gates.interval_coverage.min` refuses such a"
            " model"
        )
        yield TrainingNote(code=NoteCode.LOW_COVERAGE, message=message)
