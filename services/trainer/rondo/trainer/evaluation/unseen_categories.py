"""The share of rows with a category that the reference would not list without them.

No row of a reference has a category that the reference lacks, and live rows have some now and then: a new customer, a
late date. So each stretch of rows is compared with the list of all other rows, as a live one is compared with the
list of all rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rondo.trainer.evaluation.reference_profile import MAX_CATEGORIES, MAX_CATEGORY_CHARACTERS

if TYPE_CHECKING:
    from numpy.typing import NDArray


def shares_unseen(values: pa.DictionaryArray, rows: int) -> NDArray[np.float64]:
    """Return the share of each stretch of `rows` rows, shape `[stretches]`.

    The stretches end at the last row. The first rows, which fill no stretch, count among the other rows.
    """
    first = len(values) % rows
    # The indices of an Enum are unsigned.
    codes = values.indices.cast(pa.int64()).fill_null(-1).to_numpy(zero_copy_only=False)
    texts = values.dictionary
    present = pc.not_equal(texts, "").to_numpy(zero_copy_only=False)
    listable = present & pc.less_equal(pc.utf8_length(texts), MAX_CATEGORY_CHARACTERS).to_numpy(zero_copy_only=False)
    counts = np.bincount(codes[codes >= 0], minlength=len(texts))
    if np.count_nonzero(listable & (counts > 0)) <= MAX_CATEGORIES:
        return _in_one_stretch(codes, counts, present, listable, first, rows) / rows
    return _without_the_stretch(codes, counts, texts, present, listable, first, rows) / rows


def _in_one_stretch(
    codes: NDArray[np.int64], counts: NDArray[np.int64], present: NDArray[np.bool_], listable: NDArray[np.bool_],
    first: int, rows: int,
) -> NDArray[np.float64]:  # fmt: skip
    """Return the number of unseen rows of each stretch. The others list all their categories."""
    known = np.flatnonzero(codes >= 0)
    places = (known - first) // rows  # negative before the first stretch
    earliest, latest = np.full(len(counts), -1), np.full(len(counts), -2)
    latest[codes[known]] = places
    earliest[codes[known[::-1]]] = places[::-1]
    found = np.zeros((len(codes) - first) // rows)
    alone = listable & (earliest == latest) & (earliest >= 0)
    np.add.at(found, earliest[alone], counts[alone])
    never = present & ~listable
    if never.any():
        unlisted = known[never[codes[known]] & (known >= first)]
        np.add.at(found, (unlisted - first) // rows, 1)
    return found


def _without_the_stretch(
    codes: NDArray[np.int64], counts: NDArray[np.int64], texts: pa.Array, present: NDArray[np.bool_],
    listable: NDArray[np.bool_], first: int, rows: int,
) -> NDArray[np.float64]:  # fmt: skip
    """Return the number of unseen rows of each stretch, where the others list their most frequent categories."""
    size = len(counts)
    rank = np.empty(size, np.int64)
    rank[np.asarray(pc.sort_indices(texts))] = np.arange(size)
    # The order of the list: the more frequent first, then by text. Distinct, and below 0 if never listed.
    keys = np.where(listable, counts * size + (size - 1 - rank), -1)
    order = np.argsort(-keys)
    found = np.zeros((len(codes) - first) // rows)
    for place in range(len(found)):
        stretch = codes[first + place * rows : first + (place + 1) * rows]
        mine, here = np.unique(stretch[stretch >= 0], return_counts=True)
        top = order[: MAX_CATEGORIES + len(mine)]
        others = top[~np.isin(top, mine)][:MAX_CATEGORIES]
        changed = np.where(listable[mine] & (counts[mine] > here), keys[mine] - here * size, -1)
        every = np.concatenate([keys[others], changed])
        limit = np.partition(every, -MAX_CATEGORIES)[-MAX_CATEGORIES]
        listed = (changed >= max(limit, 0)) & (changed >= 0)
        found[place] = here[~listed & present[mine]].sum()
    return found
