"""One-hot encoding: a column for each of the most frequent levels. The other levels are 0 in all columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from rondo.trainer.preparation.indicators import Indicators
from rondo.trainer.preparation.inputs import MISSING

if TYPE_CHECKING:
    from numpy.typing import NDArray


def fit(text: pl.Series, most: int) -> tuple[Indicators, NDArray[np.float32]]:
    """Return the encoding by at most `most` columns, and the columns of the training rows."""
    counted = pl.DataFrame({"text": text.cast(pl.String).fill_null(MISSING)}).group_by("text").len()
    frequent = counted.sort(["len", "text"], descending=[True, False]).head(most)["text"]
    known = tuple(frequent.sort().to_list())
    encoding = Indicators(known, np.arange(len(known)), tuple(f"={level}" for level in known))
    return encoding, encoding.apply(text)
