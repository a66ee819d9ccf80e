"""The levels of a category: its distinct texts in the training rows, each with its position."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray


def distinct(text: pl.Series) -> list[str]:
    """Return the levels, sorted."""
    levels: list[str] = text.unique().sort().to_list()
    return levels


def positions(text: pl.Series, levels: Sequence[str]) -> NDArray[np.int64]:
    """Return the position of each text among the levels, shape `[rows]`; the number of levels for any other text."""
    found = text.cast(pl.Enum(levels), strict=False).to_physical().cast(pl.Int64)
    return (found.fill_null(len(levels)) if found.null_count() else found).to_numpy()
