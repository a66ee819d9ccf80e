"""Joins outcomes to predictions, in any order of arrival, by the same rule as the trainer.

- By the prediction's id: the last outcome known by the close time of the prediction's window. It corrects earlier ones.
- Otherwise by entity: the first outcome known at or after the prediction's event time.

Among outcomes known at the same moment, the last one to arrive counts: it corrects the others. All outcomes of a model
are in one partition of the log, so the order of arrival is the order in the log.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rondo.contracts.tasks.sketches import OBSERVED, PREDICTED

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from rondo.monitor.windows.tumbling import TumblingWindows

# `row` numbers the rows of a table in order of arrival. A checkpoint refers to rows by it. In addition, predictions
# have columns of `PREDICTED`, outcomes have those of `OBSERVED`, and a prediction with its outcome has both. A column
# without any value is left out, so the columns of other tasks need neither time nor memory.
_KEYS = (("id", pa.string()), ("entity", pa.string()))
_ROW = ("row", pa.int64())
_PREDICTION = (*_KEYS, ("event_time", pa.int64()), ("version", pa.int64()))
PREDICTIONS = pa.schema([*_PREDICTION, _ROW])
OUTCOMES = pa.schema([*_KEYS, ("known_at", pa.int64()), _ROW])
# The slices that a prediction belongs to, see `rondo.chassis.profiles.slices`.
SLICES = pa.field("slices", pa.int64())
LABELLED = pa.schema([*_PREDICTION, ("known_at", pa.int64()), ("by_id", pa.bool_()), _ROW])
_OF_PREDICTION = (*(name for name, _ in _PREDICTION), *PREDICTED.names, SLICES.name)
_OF_OUTCOME = ("known_at", *OBSERVED.names)
UNMATCHED = -1


@dataclass(frozen=True)
class Join:
    """The result of a join. `pairs` has the columns of `LABELLED`.

    The other tables are the unmatched rows, in their order. A prediction whose only outcome was known after its
    window's close time is in no table. It counts as `late`.
    """

    pairs: pa.Table
    late: int
    predictions: pa.Table
    outcomes: pa.Table


def join(predictions: pa.Table, outcomes: pa.Table, tumbling: TumblingWindows) -> Join:
    """Join predictions and outcomes that match.

    An outcome by id is removed when it is matched. An outcome by entity is kept, because later predictions may match
    it.
    """
    if not predictions.num_rows or not outcomes.num_rows:
        return Join(LABELLED.empty_table(), 0, predictions, outcomes)
    by_id, by_entity = split(outcomes)
    found = last_in_time(predictions, by_id, tumbling)
    named = known_ids(predictions, by_id)
    rest = predictions.filter(pa.array(~named))
    found_by_entity = first_after(rest, by_entity)
    pairs = concatenated(
        [labelled(predictions, by_id, found, by_id=True), labelled(rest, by_entity, found_by_entity, by_id=False)]
    )
    in_time = pairs.column("known_at").to_numpy() <= tumbling.close_times(pairs.column("event_time").to_numpy())
    consumed = np.zeros(outcomes.num_rows, np.bool_)
    consumed[outcomes.column("id").is_valid().to_numpy()] = known_ids(by_id, predictions)
    return Join(
        pairs.filter(pa.array(in_time)),
        int(((found == UNMATCHED) & named).sum() + (~in_time).sum()),
        rest.filter(pa.array(found_by_entity == UNMATCHED)),
        outcomes.filter(pa.array(~consumed)),
    )


def split(outcomes: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Return the outcomes that name a prediction's id, and the others."""
    has_id = outcomes.column("id").is_valid()
    return outcomes.filter(has_id), outcomes.filter(pc.invert(has_id))


def known_ids(table: pa.Table, others: pa.Table) -> NDArray[np.bool_]:
    """Return which rows have an id that is among the ids of the other table."""
    if not table.num_rows or not others.num_rows:
        return np.zeros(table.num_rows, np.bool_)
    ids = others.column("id").combine_chunks()
    return np.asarray(pc.index_in(table.column("id"), ids, skip_nulls=True).is_valid().to_numpy())


def last_in_time(predictions: pa.Table, by_id: pa.Table, tumbling: TumblingWindows) -> NDArray[np.int64]:
    """Return for each prediction the index of its id's last outcome known by its window's close time, or UNMATCHED."""
    close_times = tumbling.close_times(predictions.column("event_time").to_numpy())
    return _nearest("id", predictions, close_times, by_id, before=True)


def first_after(predictions: pa.Table, by_entity: pa.Table) -> NDArray[np.int64]:
    """Return for each prediction the index of its entity's first outcome known since its event time, or UNMATCHED."""
    return _nearest("entity", predictions, predictions.column("event_time").to_numpy(), by_entity, before=False)


def labelled(predictions: pa.Table, outcomes: pa.Table, found: NDArray[np.int64], *, by_id: bool) -> pa.Table:
    """Return the predictions with an outcome at `found`, as `LABELLED`. The rows are not numbered yet."""
    hits = found != UNMATCHED
    matched = predictions.select(_present(predictions, _OF_PREDICTION)).filter(pa.array(hits))
    labels = outcomes.select(_present(outcomes, _OF_OUTCOME)).take(pa.array(found[hits]))
    rows = matched.num_rows
    added = {"by_id": np.full(rows, by_id), "row": np.zeros(rows, np.int64)}
    columns = [dict(zip(table.column_names, table.columns, strict=True)) for table in (matched, labels)]
    return pa.table({**columns[0], **columns[1], **added})


def concatenated(tables: Iterable[pa.Table]) -> pa.Table:
    """Concatenate tables with different columns. A column is null for the rows of tables that do not have it."""
    return pa.concat_tables(tables, promote_options="default")


def values(table: pa.Table, field: pa.Field) -> pa.ChunkedArray:
    """Return a column that a sketch counts. It is null if the table has left it out."""
    if field.name in table.column_names:
        return table.column(field.name)
    return pa.chunked_array([pa.nulls(table.num_rows, field.type)])


def slice_codes(table: pa.Table) -> NDArray[np.int64]:
    """Return the code of each row's slices, shape `[rows]`. 0 for a row that belongs to none."""
    return np.asarray(pc.fill_null(values(table, SLICES), 0).to_numpy())


def _present(table: pa.Table, names: Sequence[str]) -> list[str]:
    return [name for name in names if name in table.column_names]


def _nearest(
    key: str, predictions: pa.Table, times: NDArray[np.int64], outcomes: pa.Table, *, before: bool
) -> NDArray[np.int64]:
    """Return for each prediction the nearest outcome with its key, known at or `before` (otherwise after) its time."""
    found = np.full(predictions.num_rows, UNMATCHED, np.int64)
    if not predictions.num_rows or not outcomes.num_rows:
        return found
    keys = outcomes.column(key).combine_chunks().dictionary_encode()
    codes = pc.index_in(predictions.column(key), keys.dictionary, skip_nulls=True).fill_null(UNMATCHED).to_numpy()
    concerned = np.flatnonzero(codes != UNMATCHED)
    if not concerned.size:
        return found
    their_codes = keys.indices.fill_null(UNMATCHED).to_numpy(zero_copy_only=False)
    candidates = np.flatnonzero(np.isin(their_codes, codes[concerned]))
    found[concerned] = _nearest_by_code(
        _Points(codes[concerned], times[concerned], np.zeros(concerned.size, np.int64)),
        _Points(
            their_codes[candidates],
            outcomes.column("known_at").to_numpy()[candidates],
            # Among outcomes with equal times the join takes the one that arrived last, forwards and backwards.
            outcomes.column("row").to_numpy()[candidates] * (1 if before else -1),
        ),
        candidates,
        before=before,
    )
    return found


class _Points(NamedTuple):
    """Rows by the code of their key, their time, and their rank among rows with the same time."""

    codes: NDArray[np.int64]
    times: NDArray[np.int64]
    ranks: NDArray[np.int64]


def _nearest_by_code(
    predictions: _Points, outcomes: _Points, numbers: NDArray[np.int64], *, before: bool
) -> NDArray[np.int64]:
    """Return for each prediction the number of the nearest outcome with its code, or UNMATCHED."""
    codes, times, ranks = (np.concatenate(pair) for pair in zip(predictions, outcomes, strict=True))
    is_outcome = np.arange(codes.size) >= predictions.codes.size
    order = np.lexsort((ranks, is_outcome ^ before, times, codes))
    target = _nearest_marked(is_outcome[order], before=before)
    reachable = target != UNMATCHED
    target = order[np.where(reachable, target, 0)]
    hit = reachable & ~is_outcome[order] & (codes[order] == codes[target])
    found = np.full(predictions.codes.size, UNMATCHED, np.int64)
    found[order[hit]] = numbers[target[hit] - predictions.codes.size]
    return found


def _nearest_marked(marked: NDArray[np.bool_], *, before: bool) -> NDArray[np.int64]:
    """Return for each position the nearest marked one at or `before` (otherwise after) it, or UNMATCHED."""
    positions = np.arange(marked.size)
    if before:
        return np.maximum.accumulate(np.where(marked, positions, UNMATCHED))
    following = np.minimum.accumulate(np.where(marked, positions, marked.size)[::-1])[::-1]
    return np.where(following < marked.size, following, UNMATCHED)
