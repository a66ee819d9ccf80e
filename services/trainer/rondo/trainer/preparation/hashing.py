"""Hash encoding: levels share a fixed number of columns, by a hash of their text (the hashing trick).

ONNX has no operator that hashes a text. onnxruntime has one (`MurmurHash3`), but it is an extension, which the registry
refuses. So the graph has a table with the column of each level. A text that the training rows lack is 0 in all columns:
the column of its hash was learned from other levels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from zlib import crc32

import numpy as np

from rondo.trainer.preparation import levels
from rondo.trainer.preparation.indicators import Indicators

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray


def fit(text: pl.Series, buckets: int) -> tuple[Indicators, NDArray[np.float32]]:
    """Return the encoding by `buckets` columns, and the columns of the training rows."""
    known = levels.distinct(text)
    places = np.array([crc32(level.encode()) % buckets for level in known], dtype=np.int64)
    encoding = Indicators(tuple(known), places, tuple(f"#{bucket}" for bucket in range(buckets)))
    return encoding, encoding.apply(text)
