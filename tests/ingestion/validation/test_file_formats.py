"""Reading batch files."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zlib
from typing import TYPE_CHECKING

import orjson
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rondo.ingestion.errors import UnknownContentTypeError, UnreadableFileError
from rondo.ingestion.validation.file_formats import format_of, has_footer, read

from tests.ingestion.builders import parquet, rides

if TYPE_CHECKING:
    from pathlib import Path

    from rondo.contracts.batch_files.formats import FileFormat

ROWS = b"a,b\n" + b"".join(b"%d,%d\n" % (n, n * n) for n in range(500))


def files(folder: Path) -> dict[FileFormat, Path]:
    frame = rides(5)
    paths: dict[FileFormat, Path] = {
        "Parquet": folder / "a",
        "CSV": folder / "b",
        "JSON Lines": folder / "c",
        "an Arrow file": folder / "d",
        "an Arrow stream": folder / "e",
    }
    frame.write_parquet(paths["Parquet"])
    frame.write_csv(paths["CSV"])
    frame.write_ndjson(paths["JSON Lines"])
    frame.write_ipc(paths["an Arrow file"])
    frame.write_ipc_stream(paths["an Arrow stream"])
    return paths


@pytest.mark.parametrize(
    ("values", "read_as"),
    [
        ((True, 1, 0), ["true", "1", "0"]),
        ((1, True, None), ["1", "true", None]),
        (({"a": 1}, 0.5, None), ['{"a":1}', "0.5", None]),
        (([1], False, 2), ["[1]", "false", "2"]),
        ((1, 2.5, None), [1.0, 2.5, None]),
    ],
)
def test_a_json_column_with_values_of_several_types_is_text_and_the_others_keep_their_type(
    values: tuple[object, ...], read_as: list[object], tmp_path: Path
) -> None:
    path = tmp_path / "mixed"
    path.write_bytes(b"\n".join(orjson.dumps({"a": value, "b": 1}) for value in values))
    frame = read(path, "JSON Lines").frame
    assert frame["a"].to_list() == read_as
    assert frame["b"].to_list() == [1, 1, 1]


def test_a_json_column_of_several_types_is_read_after_a_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / "mixed").write_bytes(b'\xef\xbb\xbf{"a":{"b":1}}\n{"a":0.5}\n')
    assert read(tmp_path / "mixed", "JSON Lines").frame["a"].to_list() == ['{"b":1}', "0.5"]


def test_every_form_is_read(tmp_path: Path) -> None:
    for file_format, path in files(tmp_path).items():
        assert read(path, file_format).frame["ride"].to_list() == ["r0", "r1", "r2", "r3", "r4"]
        assert has_footer(path, file_format)


def message(path: Path, file_format: FileFormat) -> str:
    with pytest.raises(UnreadableFileError) as raised:
        read(path, file_format)
    return str(raised.value)


def test_a_half_written_parquet_file(tmp_path: Path) -> None:
    path = tmp_path / "half"
    whole = parquet(rides(100), tmp_path)
    path.write_bytes(whole[: len(whole) // 2])
    assert not has_footer(path, "Parquet")
    assert message(path, "Parquet") == (
        "the batch can't be read as Parquet: it is half-written, the last bytes are not PAR1; "
        "wait until the file is complete and send it again"
    )


@pytest.mark.parametrize(
    ("content", "file_format", "expected"),
    [
        (b"", "CSV", "it is empty; send the file itself as the body"),
        (b"a,b\n1,2\n", "Parquet", "it does not start with PAR1; name the file, or its content type, by its format"),
        (
            "a,b\n1,größe\n".encode("latin-1"),
            "CSV",
            "line 2 is not UTF-8: 'größe' if it is Latin-1; save it as UTF-8, or convert it",
        ),
        ('{"a":"größe"}'.encode("latin-1"), "JSON Lines", "line 1 is not UTF-8: 'größe' if it is Latin-1"),
        (b"PAR1xxxxPAR1", "CSV", "it starts like Parquet; name the file, or its content type, by its format"),
        (b"PAR1xxxxxxxxPAR1", "Parquet", "write the file again and send it"),
        (b"PAR1xxxxxxxxPAR1", "Parquet", "its content is damaged ("),
        (b"\xff\xff\xff\xff\xc8\0\0\0\x10", "CSV", "it starts like an Arrow stream; name the file"),
        (b"\xff\xff\xff\xff\xc8\0\0\0\x10", "JSON Lines", "it starts like an Arrow stream; name the file"),
        (b"a,b\n1,2\n", "an Arrow stream", "it starts with b'a,b\\n1,2\\n', which no Arrow stream does; name the file"),
        (
            b'\xef\xbb\xbf{"a": 1}\n',
            "CSV",
            "line 1 begins like JSON, with '{\"a\": 1}', and not with the names of columns; name it .jsonl",
        ),
        (
            b'[{"a": 1}]',
            "CSV",
            "line 1 begins like a JSON array, with '[{\"a\": 1}]', and not with the names of columns; write one",
        ),
        (b'[\n  {"a": 1}\n]', "CSV", "line 1 begins like a JSON array, with '['"),
        (b"<!DOCTYPE html>\n<html>", "CSV", "line 1 begins like HTML or XML, with '<!DOCTYPE html>'"),
        (b"<html>\n<head>", "CSV", "line 1 begins like HTML or XML, with '<html>'"),
        (b'<html lang="en" class="a,b">', "CSV", "line 1 begins like HTML or XML"),
        (b"<?xml version='1.0'?><a/>", "CSV", "line 1 begins like HTML or XML"),
        (b'{"a":1}\n{"a":\n', "JSON Lines", "line 2 is not JSON"),
        (b'{"a":1}\n[1]\n', "JSON Lines", "line 2 is not a JSON object; write one object per line"),
        (b"\x00\xff\x00\x00 garbage", "an Arrow stream", "write the file again and send it"),
        (
            zlib.compress(ROWS)[:200],
            "CSV",
            "with zlib; send it compressed with gzip once, or as it is",
        ),
        (zlib.compress(ROWS, 1), "CSV", "it is compressed with zlib"),
        (gzip.compress(ROWS), "CSV", "it is compressed with gzip"),
        (pa.compress(ROWS, codec="zstd", asbytes=True), "JSON Lines", "it is compressed with zstd"),
        (bz2.compress(ROWS), "JSON Lines", "it is compressed with bzip2"),
        (lzma.compress(ROWS), "Parquet", "it is compressed with xz"),
        (b"PK\x03\x04rest", "CSV", "it is compressed with zip"),
        ("a,b\n1,2\n".encode("utf-16-le"), "CSV", "it holds NUL characters, as UTF-16 without a byte order mark does"),
        (b"\xff\xfea\x00,", "CSV", "its byte order mark says UTF-16, and its text is not"),
        (
            b'\na,b\n"1\n",2\n\n3\n4,5,6\n',
            "CSV",
            (
                "line 6 has 1 instead of the 2 fields of the header 'a,b': '3' (the first of 2 such lines); "
                "give each line as many fields as the header"
            ),
        ),
        (
            b'a,b\n1,2\n3,"x\n4,5\n',
            "CSV",
            "a quote is not closed: the text that begins with 'x' goes to the end of the file",
        ),
        (b'a,b\n1,"\n', "CSV", "a quote is not closed: the text that begins with '\\n' goes to the end of the file"),
        (
            b"a" * (1 << 20),
            "CSV",
            (
                "its header is longer than 1 MiB, or a quote in it is not closed; "
                "close it, and write the names of the columns in the first line"
            ),
        ),
        (
            "sep=€\na€b\n".encode(),
            "CSV",
            (
                "its first line names '€' as the separator, which is none; "
                "separate the columns by an ASCII character such as ;, and write sep=;"
            ),
        ),
        (b"a\n\x81\n", "CSV", "line 2 is no text; is it of the format that its name says?"),
        (b"\na\x00,b\n1,2\n", "CSV", "its header holds NUL characters; write it as text in UTF-8"),
        pytest.param(
            b'a,b\n1,"' + b"x" * (33 << 20),
            "CSV",
            "a line is longer than 16 MiB, or a quote is not closed; close it, or leave out the long text",
            marks=pytest.mark.medium,
        ),
        (b"a,,\n1,2,3\n", "CSV", "its columns 2, 3 have values and no name; give each column a name of its own"),
        (
            b"PK\x03\x04\x14\x00xl/workbook.xml",
            "CSV",
            "it is a workbook of Excel or another spreadsheet program; save the sheet as CSV (UTF-8)",
        ),
        (b'[{"a":1},\n{"a":2}]', "JSON Lines", "it is a JSON array, not JSON Lines"),
    ],
)
def test_an_unreadable_file_is_explained(
    content: bytes, file_format: FileFormat, expected: str, tmp_path: Path
) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    text = message(path, file_format)
    assert text.startswith(f"the batch can't be read as {file_format}: ")
    assert expected in text


@pytest.mark.parametrize(
    "header", ["[id],[price]", "{id},b", '"{""id""",b', "<5km,>=5km", "<TICKER>,<PER>", "<a,b", "[{x}],b"]
)
def test_a_header_with_brackets_is_one_of_csv(header: str, tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text(f"{header}\n1,2\n")
    assert read(path, "CSV").frame.shape == (1, 2)


def test_a_stream_that_breaks_off(tmp_path: Path) -> None:
    path = files(tmp_path)["an Arrow stream"]
    path.write_bytes(path.read_bytes()[:-200])
    assert "an Arrow stream" in message(path, "an Arrow stream")


def test_content_types() -> None:
    assert format_of("text/CSV; charset=utf-8") == "CSV"
    with pytest.raises(UnknownContentTypeError) as raised:
        format_of("application/pickle")
    assert raised.value.given == "application/pickle"
    assert "text/csv" in raised.value.known


def test_types_of_csv_are_not_guessed(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("a,b\n01,\n")
    assert read(path, "CSV").frame.equals(
        pl.DataFrame({"a": ["01"], "b": [None]}, schema={"a": pl.String, "b": pl.String})
    )


def test_arrow_types_arrive(tmp_path: Path) -> None:
    path = tmp_path / "x.arrows"
    table = pa.table({"a": pa.array(["x", None]).dictionary_encode(), "b": pa.array([1, 2], pa.int8())})
    _write_stream(table, path)
    assert read(path, "an Arrow stream").frame.to_dict(as_series=False) == {"a": ["x", None], "b": [1, 2]}


@pytest.mark.parametrize("separator", [";", "\t", "|", ","])
def test_the_separator_of_csv_is_recognised(separator: str, tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("a,b\n1,2\n".replace(",", separator))
    assert read(path, "CSV").frame.rows() == [("1", "2")]


def test_blank_lines_of_csv_are_no_rows(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(b"\xef\xbb\xbfa,b\r\n1,2\r\n\r\n3,4\r\n  \t\r\n , \r\n")
    assert read(path, "CSV").frame.rows() == [("1", "2"), ("3", "4")]


def test_blank_lines_of_json_are_no_rows(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(b'{"a":1}\n\n{"a":2}\n\n')
    assert read(path, "JSON Lines").frame.rows() == [(1,), (2,)]


def test_two_columns_of_one_name_are_refused_in_every_format_with_a_header(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text("count,zone,count\n1,a,2\n")
    assert "it has several columns named 'count'" in message(path, "CSV")
    table = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["count", "count"])
    _write_stream(table, path)
    assert "it has several columns named 'count'" in message(path, "an Arrow stream")
    _write_parquet(table, path)
    assert "it has several columns named 'count'" in message(path, "Parquet")


@pytest.mark.parametrize("file_format", ["Parquet", "an Arrow stream", "an Arrow file"])
def test_a_type_that_polars_lacks_does_not_stop_the_others(file_format: FileFormat, tmp_path: Path) -> None:
    path = tmp_path / "x"
    table = pa.table(
        {
            "at": pa.array([0], pa.timestamp("us", "+05:30")),
            "cost": pa.array([None], pa.decimal256(50, 2)),
            "parts": pa.array([[1]], pa.list_view(pa.int64())),
        }
    )
    write = {"Parquet": _write_parquet, "an Arrow stream": _write_stream, "an Arrow file": _write_file}
    write[file_format](table, path)
    batch = read(path, file_format)
    assert "at" in batch.frame.columns
    assert list(batch.unsupported) == ["parts"]


def _write_parquet(table: pa.Table, path: Path) -> None:
    pq.write_table(table, path)


def _write_stream(table: pa.Table, path: Path) -> None:
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)


def _write_file(table: pa.Table, path: Path) -> None:
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
