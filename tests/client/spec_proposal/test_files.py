"""Every format that `rondo publish` takes is read as ingestion reads it."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING, Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rondo.client.errors import RondoError
from rondo.client.http.batch_files import content_type_of
from rondo.client.spec_proposal import files
from rondo.client.spec_proposal.errors import UnreadableFileError
from rondo.contracts.batch_files.formats import CONTENT_TYPES, EXTENSIONS
from rondo.ingestion.validation import file_formats

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ROWS: list[dict[str, Any]] = [
    {"id": "a", "n": 1, "x": 0.5, "ok": True, "none": None},
    {"id": "b", "n": 2, "x": None, "ok": False, "none": None},
]


def _stream(table: pa.Table, make: Callable[..., Any]) -> bytes:
    sink = pa.BufferOutputStream()
    with make(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def _parquet(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    return bytes(sink.getvalue())


TABLE = pa.Table.from_pylist(ROWS)
CONTENTS = {
    ".csv": b"id,n,x,ok,none\na,1,0.5,True,\nb,2,,False,\n",
    ".tsv": b"id\tn\tx\tok\tnone\na\t1\t0.5\tTrue\t\nb\t2\t\tFalse\t\n",
    ".jsonl": b"\n".join(orjson.dumps(row) for row in ROWS) + b"\n\n",
    ".ndjson": b"\n".join(orjson.dumps(row) for row in ROWS),
    ".parquet": _parquet(TABLE),
    ".arrows": _stream(TABLE, pa.ipc.new_stream),
    ".arrow": _stream(TABLE, pa.ipc.new_file),
}


def test_every_format_of_publish_has_a_content_here() -> None:
    assert set(CONTENTS) == set(CONTENT_TYPES) == set(EXTENSIONS)


@pytest.mark.parametrize("suffix", CONTENTS)
@pytest.mark.parametrize("compressed", [False, True])
def test_a_file_is_read_in_every_format(tmp_path: Path, suffix: str, compressed: bool) -> None:  # noqa: FBT001
    content = gzip.compress(CONTENTS[suffix]) if compressed else CONTENTS[suffix]
    path = tmp_path / f"january{suffix}{'.gz' if compressed else ''}"
    path.write_bytes(content)
    found = files.read(path)
    assert (found.table.column_names, found.table.num_rows, found.truncated) == (list(ROWS[0]), 2, False)
    assert found.table["id"].to_pylist() == ["a", "b"]
    assert found.keeps_types == (suffix in (".parquet", ".arrows", ".arrow"))
    # The file is one that `rondo publish` sends.
    assert content_type_of(path, None) == CONTENT_TYPES[suffix]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_separator_of_a_csv_file_is_found_and_blank_lines_are_no_rows(tmp_path: Path, separator: str) -> None:
    lines = ["\ufeffid,größe,note", 'a, 1 ,"two', 'lines"', "", ", ,", "b,,NA"]
    path = tmp_path / "a.csv"
    path.write_text("\n".join(lines).replace(",", separator) + "\n")
    found = files.read(path)
    assert found.table.to_pydict() == {"id": ["a", "b"], "größe": [" 1 ", None], "note": ["two\nlines", "NA"]}
    assert found.table.num_rows == file_formats.read(path, "CSV").frame.height


def test_lines_with_another_number_of_fields_are_refused_with_the_first_one(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("id,n\na,1\n\nb\nc,2,3\nd,4\n")
    with pytest.raises(UnreadableFileError) as refused:
        files.read(path)
    assert all(word in refused.value.why for word in ("line 4", "'b'", "2 such"))


@pytest.mark.parametrize("suffix", CONTENTS)
def test_only_the_first_rows_are_read(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(CONTENTS[suffix])
    assert (files.read(path, 1).table["id"].to_pylist(), files.read(path, 1).truncated) == (["a"], True)
    assert not files.read(path, 2).truncated


def test_values_of_several_types_are_texts(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"a": 1}\n{"a": "x", "b": [1]}\n{"a": true}\n{"a": 1.5}\n')
    table = files.read(path).table
    assert table["a"].to_pylist() == ["1", "x", "true", "1.5"]
    assert table["b"].to_pylist() == [None, [], None, None]


DAMAGED = {
    "half.parquet": CONTENTS[".parquet"][:-9],
    "csv.parquet": CONTENTS[".csv"],
    "half.arrow": CONTENTS[".arrow"][:-9],
    "text.arrows": b"hello, this is a text",
    "latin.csv": "id,größe\na,größer\n".encode("latin-1"),
    "words.jsonl": b'{"a": 1}\nhello\n',
    "list.jsonl": b"[1]\n",
    "half.csv.gz": gzip.compress(CONTENTS[".csv"])[:-9],
    "twice.csv": b"id,id\n1,2\n",
    "damaged.csv.gz": b"\x1f\x8b" + gzip.compress(CONTENTS[".csv"])[2:20] + b"\x00" * 20,
    "array.jsonl": b'[\n{"a": 1}\n]\n',
    "sheet.csv": b"PK\x03\x04\x14\x00xl/workbook.xml",
    "open.csv": b'id,n\n1,"a\n2,b\n3,c\n',
    "twice.parquet": _parquet(pa.table([[1], [2]], ["a", "a"])),
}


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16-le"])
@pytest.mark.parametrize("text", ["id,größe\na,b\n", "id,b\na,größer\n"])
def test_a_text_that_is_not_utf8_is_named(tmp_path: Path, text: str, encoding: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(text.encode(encoding))
    with pytest.raises(UnreadableFileError) as refused:
        files.read(path)
    assert "UTF-8" in str(refused.value)


@pytest.mark.parametrize("name", DAMAGED)
def test_a_file_that_is_damaged_or_of_another_format_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(DAMAGED[name])
    with pytest.raises(RondoError) as refused:
        files.read(path)
    assert (refused.value.code, name in str(refused.value)) == ("unreadable_file", True)


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("a.xlsx", b"PK", "unknown_format"),
        ("a.gz", b"PK", "unknown_format"),
        ("a.csv", b"", "empty_batch"),
        ("a.csv", b"\n \n", "no_rows"),
        ("a.csv", b"id,n\n", "no_rows"),
        ("a.csv", b"id,n\n,\n", "no_rows"),
        ("a.jsonl", b"\n", "no_rows"),
        ("a.parquet", _parquet(TABLE.slice(0, 0)), "no_rows"),
    ],
)
def test_a_file_without_rows_or_of_no_known_format_is_refused(
    tmp_path: Path, name: str, content: bytes, code: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(RondoError) as refused:
        files.read(tmp_path / name)
    assert refused.value.code == code
