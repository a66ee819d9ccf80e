"""The types of columns that come from several writers, or from one that changed its mind: they agree or become text."""

from __future__ import annotations

import pyarrow as pa


def plain(table: pa.Table) -> pa.Table:
    """Return the rows with one kind of text, as Delta has it (Arrow has three), and without the schema's metadata."""
    names = {f.name for f in table.schema if pa.types.is_large_string(f.type) or pa.types.is_string_view(f.type)}
    return as_text(table.replace_schema_metadata(None), names)


def as_text(table: pa.Table, names: set[str]) -> pa.Table:
    """Return the rows with these columns as text, which holds every value."""
    fields = [pa.field(f.name, pa.string() if f.name in names else f.type) for f in table.schema]
    return table.cast(pa.schema(fields)) if names else table


def at_odds(table: pa.Table, known: pa.Schema) -> set[str]:
    """Return the columns that a known schema has with another type; a column of nulls fits any."""
    kinds = dict(zip(known.names, known.types, strict=True))
    return {f.name for f in table.schema if not pa.types.is_null(f.type) and kinds.get(f.name, f.type) != f.type}


def together(tables: list[pa.Table]) -> pa.Table:
    """Return the rows as one table; a column that is text in some and numbers in others is text in all."""
    kinds: dict[str, set[pa.DataType]] = {}
    for table in tables:
        for column in table.schema:
            kinds.setdefault(column.name, set()).add(column.type)
    mixed = {name for name, types in kinds.items() if len(types) > 1 and pa.string() in types}
    ours = [as_text(table, mixed & set(table.column_names)) for table in tables]
    return pa.concat_tables(ours, promote_options="permissive")
