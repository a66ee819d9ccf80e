"""The size of a stream is that of the buffers that a reader allocates, for every compression."""

from __future__ import annotations

import pyarrow as pa
import pytest
from rondo.contracts.events import arrow_sizes, scores

MANY = scores.MAX_ROWS
LONG = "x" * (scores.MAX_TEXT_BYTES // MANY + 1)


def stream(batch: pa.RecordBatch, compression: str | None) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema, options=pa.ipc.IpcWriteOptions(compression=compression)) as writer:
        writer.write_batch(batch)
    return bytes(sink.getvalue())


def views(text: str, rows: int) -> pa.Array:
    """Return rows that all refer to one text."""
    one = pa.array([text], pa.string_view()).buffers()
    return pa.Array.from_buffers(pa.string_view(), rows, [None, pa.py_buffer(bytes(one[1]) * rows), *one[2:]])


@pytest.mark.parametrize("compression", [None, "lz4", "zstd"])
def test_the_size_is_that_of_the_buffers_that_are_read(compression: str | None) -> None:
    columns = {
        "text": pa.array(["a", None, "longer than a view may hold in itself"] * 100),
        "view": pa.array(["longer than a view may hold in itself"] * 300, pa.string_view()),
        "word": pa.array(["a", "b", "c"] * 100).dictionary_encode(),
        "number": pa.array(range(300)),
        "list": pa.array([[1.0, 2.0]] * 300),
        "nothing": pa.nulls(300),
    }
    value = stream(pa.RecordBatch.from_pydict(columns), compression)
    [batch] = pa.ipc.open_stream(value)
    arrays = [*batch.columns, batch.column("word").dictionary]
    read = sum(buffer.size for array in arrays for buffer in array.buffers() if buffer is not None)
    assert read <= arrow_sizes.decompressed_bytes(value) <= read + 64 * len(columns)


@pytest.mark.parametrize("compression", ["lz4", "zstd"])
def test_a_small_message_that_claims_much_memory_is_refused_before_it_is_read(compression: str) -> None:
    value = stream(pa.RecordBatch.from_pydict({"a": [bytes(scores.MAX_BYTES + 1)]}), compression)
    assert len(value) < 300_000
    with pytest.raises(scores.ScoreRequestTooLargeError) as refused:
        scores.decode(value)
    assert refused.value.code == "too_large"


@pytest.mark.parametrize(
    "column",
    [
        pa.DictionaryArray.from_arrays(pa.array([0] * MANY, pa.int32()), [LONG]),
        pa.DictionaryArray.from_arrays(pa.array([0], pa.int32()), views(LONG, MANY)),
        views(LONG, MANY),
    ],
    ids=["dictionary", "dictionary of views", "views"],
)
def test_a_text_that_is_in_too_many_rows_is_refused(column: pa.Array) -> None:
    value = scores.encode(pa.RecordBatch.from_arrays([column], ["entity"]))
    with pytest.raises(scores.ScoreRequestTooLargeError) as refused:
        scores.decode(value)
    assert refused.value.code == "too_large"
    assert "send fewer rows at once" in str(refused.value)


def test_a_long_text_in_few_rows_is_read() -> None:
    for column in (views(LONG, 2), pa.array([LONG] * 2).dictionary_encode()):
        assert scores.decode(scores.encode(pa.RecordBatch.from_arrays([column], ["entity"]))).num_rows == 2


def test_views_inside_of_a_nested_column_are_refused() -> None:
    nested = pa.ListArray.from_arrays([0, 2], views(LONG, 2))
    with pytest.raises(scores.InvalidScoreRequestError):
        scores.decode(scores.encode(pa.RecordBatch.from_arrays([nested], ["a"])))


def test_damaged_messages_have_a_size_or_are_refused() -> None:
    batch = pa.RecordBatch.from_pydict({"a": pa.array(["one", "two"] * 9).dictionary_encode(), "b": range(18)})
    value = scores.encode(batch)
    for place in range(len(value)):
        damaged = value[:place] + bytes([value[place] ^ 0xFF]) + value[place + 1 :]
        try:
            assert arrow_sizes.decompressed_bytes(damaged) >= 0
        except (pa.ArrowException, OSError, ValueError):
            continue
