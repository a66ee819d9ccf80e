"""Which rows a candidate learns from, and which it and the champion are judged on.

The latest rows are the holdout: a model is used on what comes after it, so that is what it is judged by. The
model that was judged is the one that is served. Fitting each once more, to its holdout, too, was simulated on a year
of flights (`make bench ONLY=thresholds`): mean monthly ROC AUC .707 with and .702 without it after 12 days from a
finding to the new version, .705 with and .701 without it after 25 days, .700 with and .700 without it after 50 days;
single months change by -.027 to +.012. That is the price of evidence about the model that serves (decision 7).

A champion may have been fitted to some of what is now the latest share (the spec's `holdout` or `window` has
changed, say), and would have an edge there. Both are then judged on the rest of it, if that is enough to judge by.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from rondo.trainer.dataset.columns import in_order

if TYPE_CHECKING:
    from datetime import datetime

    from rondo.contracts.spec.model import ModelSpec

# Fewer rows than this are no base for a judgement: the standard error of an AUC is then above 0.015.
MIN_FRESH_ROWS = 2_000


class NotEnoughDataError(ValueError):
    """There are too few rows, or rows of one class only, to train or to judge a model."""


@dataclass(frozen=True)
class Split:
    """`training` and `holdout`, both in order of event time; the holdout is later than all of the training rows."""

    training: pl.DataFrame
    holdout: pl.DataFrame


def labelled_rows(spec: ModelSpec, rows: pl.DataFrame, as_of: datetime) -> pl.DataFrame:
    """Return the rows with a label within the spec's window before `as_of`, in order of event time and entity.

    Raises:
        NotEnoughDataError: they are fewer than the spec's `min_rows`.

    """
    time = pl.col(spec.data.event_time)
    recent = rows.filter(time <= as_of, pl.col(spec.data.label).is_not_null())
    if spec.trainer.window is not None:
        recent = recent.filter(time > as_of - spec.trainer.window)
    kept = in_order(spec, recent)
    if kept.height < spec.trainer.min_rows:
        message = (
            f"{kept.height} labelled rows until {as_of:%Y-%m-%d %H:%M}, and `trainer.min_rows` asks for "
            f"{spec.trainer.min_rows}: send more data, or lower it"
        )
        raise NotEnoughDataError(message)
    return kept


def split(spec: ModelSpec, rows: pl.DataFrame) -> Split:
    """Cut rows that are in order of event time. Rows of one instant are never parted.

    Raises:
        NotEnoughDataError: a side would be empty or hold one class only, so that nothing can be learned or judged.

    """
    time = spec.data.event_time
    cut: datetime = rows[time][min(int(rows.height * (1 - spec.trainer.holdout)), rows.height - 1)]
    parts = Split(rows.filter(pl.col(time) < cut), rows.filter(pl.col(time) >= cut))
    for name, part in (("training rows", parts.training), ("holdout", parts.holdout)):
        _check_classes(name, part, spec.data.label)
    return parts


def unseen_by_champion(spec: ModelSpec, holdout: pl.DataFrame, champion_trained_until: datetime | None) -> pl.DataFrame:
    """Return the end of a holdout that the champion does not know; all of it, where that is no base for a judgement."""
    if champion_trained_until is None:
        return holdout
    later = holdout.filter(pl.col(spec.data.event_time) > champion_trained_until)
    enough = later.height >= MIN_FRESH_ROWS and later[spec.data.label].n_unique() > 1
    return later if enough else holdout


def _check_classes(name: str, part: pl.DataFrame, label: str) -> None:
    classes = sorted(part[label].unique().to_list())
    if classes != [0, 1]:
        message = (
            f"the label {label!r} is {classes or 'nowhere'} in the {name} ({part.height} rows), and both 0 and 1 are "
            "needed: widen `trainer.window` or `trainer.holdout`"
        )
        raise NotEnoughDataError(message)
