"""The content digest of a data version: the digest of each commit's rows, chained to the previous one.

The same rows in the same order and commits have the same digest, independent of file layout and Arrow representation.
"""

from __future__ import annotations

import hashlib

import pyarrow as pa
import pyarrow.compute as pc


def chained_digest(previous: str | None, table: pa.Table) -> str:
    """Return the digest (`sha256:` and 64 hex digits) of a table with digest `previous` once these rows are added."""
    digest = hashlib.sha256((previous or "").encode())
    for name in sorted(table.column_names):
        column = table.column(name)
        digest.update(f"\n{name}:{_type(column)}:{len(column)}\n".encode())
        # The value of a null is undefined in Arrow. So nulls are hashed separately, and filled.
        digest.update(_serialized(pc.is_null(column).cast(pa.uint8())))
        if not pa.types.is_null(column.type):
            digest.update(_serialized(_filled(column)))
    return f"sha256:{digest.hexdigest()}"


def _type(column: pa.ChunkedArray) -> str:
    # The type of a list includes the name of its values, which differs between writers.
    kind = column.type
    return f"list<{kind.value_type}>" if pa.types.is_list(kind) else str(kind)


def _filled(column: pa.ChunkedArray) -> pa.ChunkedArray:
    kind = column.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return pc.fill_null(column.cast(pa.large_string()), "")
    if pa.types.is_list(kind):
        return pc.fill_null(column.cast(pa.list_(kind.value_type)), [])
    number = column.cast(
        pa.uint8() if pa.types.is_boolean(kind) else pa.int64() if pa.types.is_temporal(kind) else kind
    )
    return pc.fill_null(number, 0)


def _serialized(column: pa.ChunkedArray) -> pa.Buffer:
    # Arrow IPC rebases offsets and writes zeros as padding, so equal values have equal bytes.
    return pa.record_batch({"": pa.concat_arrays(column.chunks or [pa.array([], column.type)])}).serialize()
