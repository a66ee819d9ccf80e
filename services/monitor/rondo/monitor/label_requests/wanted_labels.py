"""The predictions of the champion whose outcomes are wanted: a uniform sample, or one that favours uncertain ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rondo.contracts.events.base import Value
from rondo.contracts.times import Utc
from rondo.contracts.vocabularies import StatisticName
from rondo.monitor.estimates.label_sampling import sampled, uniforms
from rondo.monitor.windows.label_join import concatenated
from rondo.monitor.windows.tumbling import to_time

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from rondo.monitor.estimates.estimator import Estimator
    from rondo.monitor.evidence.reference import Reference
    from rondo.monitor.model_state import ModelState

_DAY = 86_400_000_000
_COLUMNS = ("id", "event_time", "version", "number")


class WantedLabel(Value):
    """A prediction by its `id`, its event time, and the `probability` with which it was drawn within its day."""

    id: str
    predicted_at: Utc
    probability: float


class WantedLabels(Value):
    """The predictions of a version whose outcome is wanted, the newest first.

    They are the predictions of open windows without an outcome in a sample of at most `budget` predictions a day.
    `unlabelled` is the number of predictions in open windows without an outcome.
    """

    model: str
    version: int | None
    budget: int
    unlabelled: int
    wanted: tuple[WantedLabel, ...]


def wanted_labels(
    state: ModelState, reference: Reference | None, budget: int, *, uncertain: bool = False
) -> WantedLabels:
    """Return the wanted outcomes of a champion as of now, at most `budget` for each day of event time in UTC.

    By default all predictions have the same probability. The monitor's figures and evidence treat outcomes as a random
    sample of predictions, so they stay valid. With `uncertain`, predictions with an uncertain loss are more likely. The
    function only reads the state. In a thread, give it a `snapshot`.
    """
    version = state.champion.version if state.champion else None
    rows, unlabelled = candidates(state, version)
    deviations = _deviations(rows, reference.estimator if reference and uncertain else None)
    times = rows.column("event_time").to_numpy()
    chosen, chances = sampled(times // _DAY, deviations, uniforms(rows.column("id")), budget)
    open_ones = chosen < unlabelled
    chosen, chances = chosen[open_ones], chances[open_ones]
    newest = np.argsort(-times[chosen], kind="stable")
    ids = rows.column("id").take(chosen[newest]).to_pylist()
    found = tuple(
        WantedLabel(id=each, predicted_at=to_time(at), probability=chance)
        for each, at, chance in zip(ids, times[chosen[newest]].tolist(), chances[newest].tolist(), strict=True)
    )
    return WantedLabels(model=state.model, version=version, budget=budget, unlabelled=unlabelled, wanted=found)


def candidates(state: ModelState, version: int | None) -> tuple[pa.Table, int]:
    """Return the predictions of a version in open windows, and the number of those without an outcome.

    Predictions without an outcome come first. Predictions with an outcome are part of a sample, too. Otherwise each
    call would draw others in their place.
    """
    tables = [
        _of_open_windows(table, version, state.closed_until)
        for table in (state.unmatched.predictions, state.labelled.table)
    ]
    return concatenated(tables), tables[0].num_rows


def _of_open_windows(table: pa.Table, version: int | None, closed_until: int) -> pa.Table:
    """Return the columns needed of the predictions of a version that have an id and an open window.

    Predictions of a window that closed without waiting for outcomes are kept for a while, but their outcomes are too
    late for it.
    """
    mine = table.column("version").to_numpy() == (0 if version is None else version)
    mine &= table.column("id").is_valid().to_numpy() & (table.column("event_time").to_numpy() >= closed_until)
    return table.select([name for name in _COLUMNS if name in table.column_names]).filter(mine)


def _deviations(rows: pa.Table, estimator: Estimator | None) -> NDArray[np.float64]:
    """Return the standard deviation of each row's loss. All are equal if the holdout does not show it."""
    if estimator is None or "number" not in rows.column_names:
        return np.ones(rows.num_rows)
    bins = estimator.column.bins_of(rows.column("number").to_numpy().astype(np.float32))
    # Rows without a prediction are in the last bin. They count as uncertain as the most uncertain group.
    of_groups = np.sqrt(estimator.figures.variances[StatisticName.LOSS])
    return np.append(of_groups[estimator.figures.group], of_groups.max())[bins]
