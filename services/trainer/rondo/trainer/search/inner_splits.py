"""The inner splits of a search: parts of the training rows in order of time, each with later rows to evaluate on.

The last rows are cut into blocks, each with the share that the holdout has of all rows. A split fits to what is before
a block, and evaluates on the block, as scikit-learn's `TimeSeriesSplit` does. The holdout itself is in none of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rondo.contracts.tasks.registry import task_named
from rondo.trainer.adaptation.holdout import FIRST_SHARE, specified

if TYPE_CHECKING:
    from collections.abc import Iterator

    import polars as pl

    from rondo.contracts.spec.model import ModelSpec

SPLITS = 3
# So that the first split is fitted to 40 % of the rows at least.
_LARGEST_SHARE = 0.2


@dataclass(frozen=True)
class InnerSplit:
    """`training` is before `validation`, both in order of event time. `number` counts from 0, the earliest."""

    number: int
    training: pl.DataFrame
    validation: pl.DataFrame

    def problem(self, spec: ModelSpec) -> str | None:
        """Return why the split can't be used. None if it can."""
        for name, rows in (("training", self.training), ("validation", self.validation)):
            if rows.is_empty():
                return f"it has no {name} rows"
            classes = rows[spec.data.label].unique()
            if task_named(spec.task).target != "number" and len(classes) == 1:
                return f"its {name} rows ({rows.height:,}) all have the label {classes[0]!r}"
        return None


def inner_splits(spec: ModelSpec, training: pl.DataFrame) -> Iterator[InnerSplit]:
    """Yield the splits of training rows in order of event time. Rows with the same event time stay together."""
    time = training[spec.data.event_time]
    held_out = specified(spec.trainer, time.dt.epoch("us").to_numpy())
    share = min(FIRST_SHARE if held_out is None else held_out / len(time), _LARGEST_SHARE)
    cuts = [time.search_sorted(time[round(len(time) * (1 - share * left))], "left") for left in range(SPLITS, 0, -1)]
    for number, (cut, end) in enumerate(zip(cuts, [*cuts[1:], len(time)], strict=True)):
        yield InnerSplit(number, training[: int(cut)], training[int(cut) : int(end)])
