"""The digest of a training set: the same rows in the same order give the same digest, however they are stored."""

from __future__ import annotations

import hashlib

import polars as pl


def digest_of(rows: pl.DataFrame) -> str:
    """Return `sha256:` and the hex digest of the columns, in their order."""
    hashed = hashlib.sha256()
    for name in rows.columns:
        values = rows[name]
        hashed.update(f"{name}:{values.len()};".encode())
        hashed.update(_text(values) if values.dtype == pl.String else _numbers(values))
    return f"sha256:{hashed.hexdigest()}"


def _text(values: pl.Series) -> bytes:
    """Return the bytes of texts: the nulls, the lengths, then the characters, so that `ab, c` and `a, bc` differ."""
    filled = values.fill_null("")
    characters: str = filled.str.join("").item()
    return values.is_null().to_numpy().tobytes() + filled.str.len_bytes().to_numpy().tobytes() + characters.encode()


def _numbers(values: pl.Series) -> bytes:
    number = values.to_physical() if values.dtype.is_temporal() else values
    exact = pl.Int64 if number.dtype.is_integer() or number.dtype == pl.Boolean else pl.Float64
    cast = number.cast(exact)
    return cast.is_null().to_numpy().tobytes() + cast.fill_null(0).to_numpy().tobytes()
