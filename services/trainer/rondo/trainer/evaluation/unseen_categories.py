"""The share of rows with a category that the reference would not list without them.

No row of a reference has a category that the reference lacks, and live rows have some now and then: a new customer, a
late date. So each stretch of rows is compared with the list of all other rows, as a live one is compared with the
list of all rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow.compute as pc

from rondo.chassis.profiles.dictionary_codes import codes_of
from rondo.trainer.evaluation.reference_profile import MAX_CATEGORIES, MAX_CATEGORY_CHARACTERS

if TYPE_CHECKING:
    from typing import Any

    import pyarrow as pa
    from numpy.typing import NDArray


def shares_unseen(values: pa.DictionaryArray, rows: int) -> NDArray[np.float64]:
    """Return the share of each stretch of `rows` rows, shape `[stretches]`.

    The stretches end at the last row. The first rows, which fill no stretch, count among the other rows.
    """
    first, texts = len(values) % rows, values.dictionary
    # A missing value has the code after the last one.
    codes = codes_of(values, len(texts))
    present = pc.not_equal(texts, "").to_numpy(zero_copy_only=False)
    listable = present & pc.less_equal(pc.utf8_length(texts), MAX_CATEGORY_CHARACTERS).to_numpy(zero_copy_only=False)
    counts = np.bincount(codes, minlength=len(texts) + 1)[: len(texts)]
    if np.count_nonzero(listable & (counts > 0)) <= MAX_CATEGORIES:
        return _in_one_stretch(codes, counts, present, listable, first, rows) / rows
    return _without_the_stretch(codes, counts, texts, present, listable, first, rows) / rows


def _in_one_stretch(
    codes: NDArray[np.integer[Any]], counts: NDArray[np.int64], present: NDArray[np.bool_], listable: NDArray[np.bool_],
    first: int, rows: int,
) -> NDArray[np.float64]:  # fmt: skip
    """Return the number of unseen rows of each stretch. The others list all their categories."""
    found = np.zeros((len(codes) - first) // rows)
    few, never = listable & (counts > 0) & (counts <= rows), present & ~listable
    if few.any():
        places = (np.arange(len(codes)) - first) // rows  # negative before the first stretch
        earliest, latest = np.empty(len(counts) + 1, np.int64), np.empty(len(counts) + 1, np.int64)
        latest[codes] = places
        earliest[codes[::-1]] = places[::-1]
        alone = np.flatnonzero(few)
        alone = alone[(earliest[alone] == latest[alone]) & (earliest[alone] >= 0)]
        np.add.at(found, earliest[alone], counts[alone])
    if never.any():
        unlisted = np.append(never, False)[codes[first:]]
        found += unlisted.reshape(-1, rows).sum(axis=1)
    return found


def _without_the_stretch(
    codes: NDArray[np.integer[Any]], counts: NDArray[np.int64], texts: pa.Array, present: NDArray[np.bool_],
    listable: NDArray[np.bool_], first: int, rows: int,
) -> NDArray[np.float64]:  # fmt: skip
    """Return the number of unseen rows of each stretch, where the others list their most frequent categories."""
    size, stretches = len(counts), (len(codes) - first) // rows
    rank = np.empty(size, np.int64)
    rank[np.asarray(pc.sort_indices(texts))] = np.arange(size)
    # The order of the list: the more frequent first, then by text. Distinct, and below 0 if never listed.
    keys = np.where(listable, counts * size + (size - 1 - rank), -1)
    # One entry for each category of each stretch: its rows there, and its key without them. The last code is missing.
    pairs = np.sort((codes[first:].reshape(-1, rows) + np.arange(stretches)[:, None] * (size + 1)).ravel())
    starts = np.flatnonzero(np.diff(pairs, prepend=-1))
    here, of = np.diff(starts, append=len(pairs)), pairs[starts]
    place = of // (size + 1)
    mine = of - place * (size + 1)
    own = np.append(keys, -1)[mine]
    changed = np.where((own >= 0) & (np.append(counts, 0)[mine] > here), own - here * size, -1)
    unseen = np.append(present, False)[mine] & _beyond_the_list(keys, place, own, changed, stretches)
    return np.asarray(np.bincount(place, here * unseen, stretches), np.float64)


def _beyond_the_list(
    keys: NDArray[np.int64], place: NDArray[np.int64], own: NDArray[np.int64], changed: NDArray[np.int64],
    stretches: int,
) -> NDArray[np.bool_]:  # fmt: skip
    """Return whether each entry is not in the list without its stretch, shape `[entries]`.

    Without a stretch only its own categories move in the list, and only backwards: from `own` to `changed`. So nothing
    before the end of the list of all rows leaves it, and what takes the places of those that leave is before the last
    of them. Positions are counted only for entries between the two.
    """
    ordered = np.sort(keys)
    end = ordered[-MAX_CATEGORIES]
    behind = np.asarray(changed < end)
    left = np.flatnonzero(behind & (own >= end))
    last = np.full(stretches, end)
    np.minimum.at(last, place[left], changed[left])
    near = np.flatnonzero(behind & (own >= last[place]))
    place, own, changed = place[near], own[near], changed[near]
    before = len(keys) - np.searchsorted(ordered, changed, side="right")
    before -= _greater(place, own, changed) - _greater(place, changed, changed)
    behind[near] = (changed < 0) | (before >= MAX_CATEGORIES)
    return behind


def _greater(place: NDArray[np.int64], keys: NDArray[np.int64], bounds: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how many keys of its stretch are above each bound. The entries are in order of their stretch, `place`."""
    offsets = place * (int(keys.max(initial=0)) + 2) + 1
    ends = np.searchsorted(place, np.arange(int(place[-1]) + 1 if len(place) else 0), side="right")
    return np.asarray(ends[place] - np.searchsorted(np.sort(offsets + keys), offsets + bounds, side="right"))
