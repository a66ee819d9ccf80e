"""Joins outcomes to predictions, in any order of arrival.

An outcome that names a prediction's id belongs to that prediction. One that names only an entity belongs to the
predictions about that entity made before it was known and after the previous outcome.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from numpy.typing import NDArray

# `row` numbers the rows of a table in order of arrival; a checkpoint refers to rows by it.
PREDICTIONS = pa.schema(
    [
        ("id", pa.string()),
        ("entity", pa.string()),
        ("event_time", pa.int64()),
        ("version", pa.int64()),
        ("score", pa.float32()),
        ("row", pa.int64()),
    ]
)
OUTCOMES = pa.schema(
    [
        ("id", pa.string()),
        ("entity", pa.string()),
        ("outcome", pa.float64()),
        ("known_at", pa.int64()),
        ("row", pa.int64()),
    ]
)
_UNMATCHED = -1


@dataclass(frozen=True)
class Join:
    """`pairs` has the columns of a prediction, `outcome` and `known_at`; the other tables are the unmatched rows."""

    pairs: pa.Table
    predictions: pa.Table
    outcomes: pa.Table


def join(predictions: pa.Table, outcomes: pa.Table) -> Join:
    """Join what matches. An outcome by id is consumed by its prediction; one by entity is kept for later predictions.

    The unmatched rows keep their order.
    """
    if not predictions.num_rows or not outcomes.num_rows:
        return Join(_pair(predictions.slice(0, 0), outcomes.slice(0, 0)), predictions, outcomes)
    has_id = outcomes.column("id").is_valid()
    by_id, by_entity = outcomes.filter(has_id), outcomes.filter(pc.invert(has_id))
    first = pc.index_in(predictions.column("id"), by_id.column("id").combine_chunks(), skip_nulls=True)
    found = first.fill_null(_UNMATCHED).to_numpy()
    pairs = _pairs(predictions, by_id, found)
    rest = predictions.filter(pa.array(found == _UNMATCHED))
    found_by_entity = _next_outcome(rest, by_entity)
    return Join(
        pa.concat_tables([pairs, _pairs(rest, by_entity, found_by_entity)]),
        rest.filter(pa.array(found_by_entity == _UNMATCHED)),
        outcomes.filter(pa.array(~_consumed(has_id.to_numpy(), found))),
    )


def _consumed(has_id: NDArray[np.bool_], found: NDArray[np.int64]) -> NDArray[np.bool_]:
    consumed = np.zeros(has_id.size, np.bool_)
    consumed[np.flatnonzero(has_id)[found[found != _UNMATCHED]]] = True
    return consumed


def _pairs(predictions: pa.Table, outcomes: pa.Table, found: NDArray[np.int64]) -> pa.Table:
    hits = found != _UNMATCHED
    return _pair(predictions.filter(pa.array(hits)), outcomes.take(pa.array(found[hits])))


def _pair(predictions: pa.Table, outcomes: pa.Table) -> pa.Table:
    pairs = predictions.append_column("outcome", outcomes.column("outcome"))
    return pairs.append_column("known_at", outcomes.column("known_at"))


def _next_outcome(predictions: pa.Table, outcomes: pa.Table) -> NDArray[np.int64]:
    """Return, for each prediction, the row of the entity's first outcome known at or after its event time, or -1."""
    found = np.full(predictions.num_rows, _UNMATCHED, np.int64)
    if not predictions.num_rows or not outcomes.num_rows:
        return found
    entities = outcomes.column("entity").combine_chunks().dictionary_encode()
    known = entities.indices.fill_null(_UNMATCHED).to_numpy(zero_copy_only=False)
    predicted = pc.index_in(predictions.column("entity"), entities.dictionary, skip_nulls=True)
    codes = np.concatenate([predicted.fill_null(_UNMATCHED).to_numpy(), known])
    times = np.concatenate([predictions.column("event_time").to_numpy(), outcomes.column("known_at").to_numpy()])
    is_outcome = np.arange(codes.size) >= predictions.num_rows
    order = np.lexsort((is_outcome, times, codes))
    indices = np.where(is_outcome[order], np.arange(codes.size), codes.size)
    following = np.minimum.accumulate(indices[::-1])[::-1]
    reachable = following < codes.size
    target = order[np.where(reachable, following, 0)]
    hit = reachable & ~is_outcome[order] & (codes[order] == codes[target]) & (codes[order] != _UNMATCHED)
    found[order[hit]] = target[hit] - predictions.num_rows
    return found
