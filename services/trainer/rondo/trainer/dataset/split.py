"""Splits the rows: the latest are the holdout, which candidate and champion are evaluated on.

A model predicts rows that come after its training, so it is evaluated on later rows. If models are refitted
(`trainer.refit`), the served model is fitted to all rows, the holdout included. Its evaluation is that of the fit
without the holdout (decision 7).

The champion may have been fitted to a part of this holdout (for example because the spec's `holdout` or `window` has
changed), and would have an advantage there. Both are then evaluated on the rest, if that is large enough.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from rondo.contracts.tasks.multiclass import MAX_CLASSES
from rondo.contracts.tasks.registry import task_named
from rondo.trainer.adaptation.growth import LEAST_CHUNK
from rondo.trainer.adaptation.holdout import FIRST_SHARE, share_of, specified
from rondo.trainer.errors import NoTrainingRowsError, OneClassError, SharedEventTimeError, TooManyClassesError

if TYPE_CHECKING:
    from datetime import datetime

    from rondo.contracts.spec.model import ModelSpec

# With fewer rows the standard error of an AUC is above 0.015.
MIN_FRESH_ROWS = 2_000


@dataclass(frozen=True)
class Split:
    """`training` and `holdout`, both in order of event time. The holdout is later than all training rows."""

    training: pl.DataFrame
    holdout: pl.DataFrame


def split(spec: ModelSpec, rows: pl.DataFrame) -> Split:
    """Split rows that are in order of event time. Rows with the same event time stay together.

    Raises:
        NoTrainingRowsError: the holdout that the spec asks for has all rows.
        SharedEventTimeError: the earliest rows reach into the holdout, so that no training row is left.
        OneClassError: a part has one class only.
        TooManyClassesError: the label has more classes than a model may have.

    """
    time = spec.data.event_time
    held_out = _specified(spec, rows)
    cut: datetime = rows[time][-(share_of(rows.height, FIRST_SHARE) if held_out is None else held_out)]
    parts = Split(*_cut(rows, time, cut))
    if parts.training.is_empty():
        check_rows_are_left(spec, rows)
        raise SharedEventTimeError(time, cut, rows.filter(pl.col(time) == cut).height, rows.height)
    check_classes(spec, parts)
    return parts


def check_rows_are_left(spec: ModelSpec, rows: pl.DataFrame) -> None:
    """Check that the holdout that the spec asks for leaves rows to train on.

    Raises:
        NoTrainingRowsError: it has all rows.

    """
    key = "holdout_span" if spec.trainer.holdout_rows is None else "holdout_rows"
    if _specified(spec, rows) == rows.height:
        raise NoTrainingRowsError(key, rows.height)


def check_classes(spec: ModelSpec, parts: Split) -> None:
    """Check that a model can be fitted to one part and evaluated on the other.

    Raises:
        OneClassError: a part has one class only.
        TooManyClassesError: the label has more classes than a model may have.

    """
    if task_named(spec.task).target != "number":
        _check_classes("training rows", parts.training, spec.data.label)
        _check_classes("holdout", parts.holdout, spec.data.label)


def halves(spec: ModelSpec, holdout: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame] | None:
    """Return the earlier and the later half of a holdout. Rows with the same event time stay together.

    None if one of the halves can't be used.
    """
    time = spec.data.event_time
    cut = holdout[time][holdout.height // 2]
    earlier, later = _cut(holdout, time, cut)
    return (earlier, later) if earlier.height and is_comparable(spec, later) else None


def calibration(spec: ModelSpec, holdout: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the rows that an interval's width or a threshold is chosen on, and those that evaluate the model.

    They are the same rows if the spec asks for neither, or the holdout can't be divided. An interval that is chosen on
    the rows that evaluate it would cover its share of them, whatever its coverage of other rows is.
    """
    return (halves(spec, holdout) if spec.prediction.chosen else None) or (holdout, holdout)


def unseen_by_champion(
    spec: ModelSpec, holdout: pl.DataFrame, champion_trained_until: datetime | None
) -> pl.DataFrame | None:
    """Return the part of a holdout that the champion was not fitted to, or the whole holdout if that part is too small.

    None if it is too small and models are refitted: the champion then was fitted to nearly all of the holdout.
    """
    if champion_trained_until is None:
        return holdout
    later = holdout.filter(pl.col(spec.data.event_time) > champion_trained_until)
    if later.height >= (LEAST_CHUNK if spec.refits else MIN_FRESH_ROWS) and is_comparable(spec, later):
        return later
    return None if spec.refits else holdout


def is_comparable(spec: ModelSpec, rows: pl.DataFrame) -> bool:
    """Return whether rows can show that one model is better than another: labels that are classes need two of them."""
    return task_named(spec.task).target == "number" or rows[spec.data.label].n_unique() > 1


def _specified(spec: ModelSpec, rows: pl.DataFrame) -> int | None:
    return specified(spec.trainer, rows[spec.data.event_time].dt.epoch("us").to_numpy())


def _cut(rows: pl.DataFrame, time: str, at: datetime) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the rows before the time `at` and those from it on, as views of `rows`, which are in order of `time`."""
    place = int(rows[time].search_sorted(at, side="left"))
    return rows[:place], rows[place:]


def _check_classes(part: str, rows: pl.DataFrame, label: str) -> None:
    classes = sorted(rows[label].unique().to_list())
    if len(classes) < 2:  # noqa: PLR2004 - a decision is between two
        raise OneClassError(part, rows.height, label, classes)
    if len(classes) > MAX_CLASSES:
        raise TooManyClassesError(label, len(classes), MAX_CLASSES)
