"""The digest of a training set: the same rows, whatever their order in a file, give the same digest."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Iterable


def digest(rows: pl.DataFrame, columns: Iterable[str]) -> str:
    """Return `sha256:` and the hex digest of these columns, in this order, of rows that are in a fixed order."""
    hashed = hashlib.sha256()
    for name in columns:
        values = rows[name]
        hashed.update(f"{name}:{values.len()};".encode())
        hashed.update(_text(values) if values.dtype == pl.String else _numbers(values))
    return f"sha256:{hashed.hexdigest()}"


def _text(values: pl.Series) -> bytes:
    """Return which are null, the lengths and then the characters, so that `ab, c` and `a, bc` differ."""
    filled = values.fill_null("")
    characters: str = filled.str.join("").item()
    return values.is_null().to_numpy().tobytes() + filled.str.len_bytes().to_numpy().tobytes() + characters.encode()


def _numbers(values: pl.Series) -> bytes:
    number = values.to_physical() if values.dtype.is_temporal() else values
    exact = pl.Int64 if number.dtype.is_integer() or number.dtype == pl.Boolean else pl.Float64
    cast = number.cast(exact)
    return cast.is_null().to_numpy().tobytes() + cast.fill_null(0).to_numpy().tobytes()
