"""The features of training rows as Arrow columns, in which each distinct text is stored once.

Profile, blocks and hashes of a column then look at each distinct text once, and not at each row's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    import pyarrow as pa


def feature_column(values: pl.Series, *, is_category: bool) -> pa.Array:
    """Return dictionary-encoded texts, or float32; null where a value is missing. Shape `[rows]`."""
    if not is_category:
        return values.cast(pl.Float32).to_arrow()
    return values.cast(pl.String).to_arrow(compat_level=pl.CompatLevel.oldest()).dictionary_encode()
