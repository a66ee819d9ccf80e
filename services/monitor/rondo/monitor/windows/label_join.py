"""Joins outcomes to the predictions they are about, whichever came first.

By the prediction's id where the outcome names one; else by the entity: then an outcome belongs to the predictions
about that entity which were asked for before it was known and after the one before it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

# `place` is where a row lies in the store (see `parts`); it means nothing here.
PREDICTIONS = pa.schema(
    [
        ("id", pa.string()),
        ("entity", pa.string()),
        ("event_time", pa.int64()),
        ("version", pa.int64()),
        ("score", pa.float32()),
        ("place", pa.int64()),
    ]
)
OUTCOMES = pa.schema(
    [
        ("id", pa.string()),
        ("entity", pa.string()),
        ("outcome", pa.float64()),
        ("known_at", pa.int64()),
        ("place", pa.int64()),
    ]
)
_UNMATCHED = -1


@dataclass(frozen=True)
class Match:
    """`pairs` has the columns of a prediction, `outcome` and `known_at`; the others are what is left."""

    pairs: pa.Table
    predictions: pa.Table
    outcomes: pa.Table


def match(predictions: pa.Table, outcomes: pa.Table) -> Match:
    """Join what can be joined. An id's outcome is used up by its prediction; an entity's stays for the next one."""
    if not predictions.num_rows or not outcomes.num_rows:
        return Match(_paired(predictions.slice(0, 0), outcomes.slice(0, 0)), predictions, outcomes)
    named = outcomes.column("id").is_valid()
    by_id, by_entity = outcomes.filter(named), outcomes.filter(pc.invert(named))
    first = pc.index_in(predictions.column("id"), by_id.column("id").combine_chunks(), skip_nulls=True)
    found = first.fill_null(_UNMATCHED).to_numpy()
    pairs = _pairs(predictions, by_id, found)
    left = predictions.filter(pa.array(found == _UNMATCHED))
    spent = np.zeros(by_id.num_rows, np.bool_)
    spent[found[found != _UNMATCHED]] = True
    by_entity_found = _next_outcome(left, by_entity)
    return Match(
        pa.concat_tables([pairs, _pairs(left, by_entity, by_entity_found)]),
        left.filter(pa.array(by_entity_found == _UNMATCHED)),
        pa.concat_tables([by_id.filter(pa.array(~spent)), by_entity]),
    )


def _pairs(predictions: pa.Table, outcomes: pa.Table, found: np.ndarray) -> pa.Table:
    hits = found != _UNMATCHED
    return _paired(predictions.filter(pa.array(hits)), outcomes.take(pa.array(found[hits])))


def _paired(predictions: pa.Table, outcomes: pa.Table) -> pa.Table:
    taken = predictions.append_column("outcome", outcomes.column("outcome"))
    return taken.append_column("known_at", outcomes.column("known_at"))


def _next_outcome(predictions: pa.Table, outcomes: pa.Table) -> np.ndarray:
    """Return, for each prediction, the row of the entity's first outcome known at or after its event time, or -1."""
    found = np.full(predictions.num_rows, _UNMATCHED, np.int64)
    if not predictions.num_rows or not outcomes.num_rows:
        return found
    entities = outcomes.column("entity").combine_chunks().dictionary_encode()
    known = entities.indices.fill_null(_UNMATCHED).to_numpy(zero_copy_only=False)
    asked = pc.index_in(predictions.column("entity"), entities.dictionary, skip_nulls=True)
    codes = np.concatenate([asked.fill_null(_UNMATCHED).to_numpy(), known])
    times = np.concatenate([predictions.column("event_time").to_numpy(), outcomes.column("known_at").to_numpy()])
    is_outcome = np.arange(codes.size) >= predictions.num_rows
    order = np.lexsort((is_outcome, times, codes))
    places = np.where(is_outcome[order], np.arange(codes.size), codes.size)
    following = np.minimum.accumulate(places[::-1])[::-1]
    reachable = following < codes.size
    target = order[np.where(reachable, following, 0)]
    hit = reachable & ~is_outcome[order] & (codes[order] == codes[target]) & (codes[order] != _UNMATCHED)
    found[order[hit]] = target[hit] - predictions.num_rows
    return found
