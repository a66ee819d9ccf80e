"""Reconciles the types of columns that differ between writers or over time. A column with a conflict becomes text."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

# Up to this value a float represents each whole number exactly. The digits of a larger one would be false precision.
_EXACT = {pa.float64(): 2**53 - 1, pa.float32(): 2**24 - 1}


def normalize(table: pa.Table) -> pa.Table:
    """Return the rows with Arrow's three text types as one, because Delta has one, and without schema metadata."""
    names = {f.name for f in table.schema if pa.types.is_large_string(f.type) or pa.types.is_string_view(f.type)}
    return as_text(table.replace_schema_metadata(None), names)


def as_text(table: pa.Table, names: set[str]) -> pa.Table:
    """Return the rows with these columns as text. A number is written so that it is read back unchanged."""
    for name in names:
        table = table.set_column(table.column_names.index(name), name, _texts(table.column(name)))
    return table


def _texts(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return values as texts. A whole number becomes its digits, like a class. Arrow would write `1e+15`."""
    texts = column.cast(pa.string())
    exact = _EXACT.get(column.type)
    if exact is None:
        return texts
    is_whole = pc.fill_null(
        pc.and_(pc.equal(pc.floor(column), column), pc.less_equal(pc.abs(column), pa.scalar(exact, column.type))),
        False,  # noqa: FBT003 - the value of a null
    )
    digits = pc.if_else(is_whole, column, pa.scalar(0, column.type)).cast(pa.int64()).cast(pa.string())
    return pc.if_else(is_whole, digits, texts)


def conflicting_columns(table: pa.Table, known: pa.Schema) -> set[str]:
    """Return the columns whose type differs from that in a known schema. A column of nulls never conflicts."""
    types = dict(zip(known.names, known.types, strict=True))
    return {f.name for f in table.schema if not pa.types.is_null(f.type) and types.get(f.name, f.type) != f.type}


def concatenate(tables: list[pa.Table]) -> pa.Table:
    """Return the rows as one table. A column with text in some tables and numbers in others becomes text."""
    types: dict[str, set[pa.DataType]] = {}
    for table in tables:
        for column in table.schema:
            types.setdefault(column.name, set()).add(column.type)
    mixed = {name for name, found in types.items() if len(found) > 1 and pa.string() in found}
    agreed = [as_text(table, mixed & set(table.column_names)) for table in tables]
    return pa.concat_tables(agreed, promote_options="permissive")
