"""The levels of a category: its distinct texts in the training rows, each with its position.

Texts are compared once: an `encoded` column has a code for each row. A missing text counts as the empty text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from rondo.trainer.preparation.inputs import MISSING, check_columns

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from rondo.contracts.spec.model import Feature


def encoded(features: Mapping[str, Feature], rows: pl.DataFrame) -> pl.DataFrame:
    """Return the rows with each category as an enumeration of its sorted texts.

    Raises:
        MissingColumnsError: a feature is no column of `rows`.

    """
    check_columns(features, rows)
    categories = (rows[name].cast(pl.String) for name, feature in features.items() if feature.type == "category")
    return rows.with_columns(text.cast(pl.Enum(text.unique().drop_nulls().sort())) for text in categories)


def distinct(text: pl.Series) -> list[str]:
    """Return the levels, sorted."""
    if not isinstance(text.dtype, pl.Enum):
        found: list[str] = text.fill_null(MISSING).unique().sort().to_list()
        return found
    known = text.dtype.categories
    occurs = np.bincount(text.to_physical().drop_nulls().to_numpy(), minlength=len(known)) > 0
    levels: list[str] = known.filter(pl.Series(occurs)).to_list()
    return sorted({MISSING, *levels}) if text.null_count() else levels


def positions(text: pl.Series, levels: Sequence[str]) -> NDArray[np.int64]:
    """Return the position of each text among the levels, shape `[rows]`. An unknown text has `len(levels)`."""
    if not isinstance(text.dtype, pl.Enum):
        return _found(text, levels)
    places = _found(pl.concat([text.dtype.categories, pl.Series([None], dtype=pl.String)]), levels)
    return places.take(text.to_physical().cast(pl.Int64).fill_null(len(places) - 1).to_numpy())


def _found(text: pl.Series, levels: Sequence[str]) -> NDArray[np.int64]:
    # `fill_null` is a separate query, which waits for the threads of polars.
    known = text.fill_null(MISSING) if text.null_count() else text
    found = known.cast(pl.Enum(levels), strict=False).to_physical().cast(pl.Int64)
    return (found.fill_null(len(levels)) if found.null_count() else found).to_numpy()
