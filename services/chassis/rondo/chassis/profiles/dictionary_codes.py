"""The codes of dictionary-encoded texts as an array of NumPy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from numpy.typing import NDArray


def codes_of(values: pa.DictionaryArray, missing: int) -> NDArray[np.integer[Any]]:
    """Return the position of each text in the dictionary, and `missing` for null, shape `[rows]`.

    Without nulls the array is that of Arrow, with its type, and is not copied.
    """
    codes = values.indices
    if codes.null_count:
        # The type of the indices may be too small for one more code.
        codes = codes.cast(pa.int64()).fill_null(missing)
    return np.asarray(codes.to_numpy(zero_copy_only=False))
