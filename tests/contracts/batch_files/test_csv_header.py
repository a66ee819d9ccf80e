"""The header of a CSV file comes from a bounded sample, whose lines end where those of the rows end."""

from __future__ import annotations

import io

import pytest
from rondo.contracts.batch_files import csv_file
from rondo.contracts.batch_files.csv_header import read_header
from rondo.contracts.batch_files.errors import UnreadableContentError

MIB = 1 << 20


class CountedFile(io.BytesIO):
    """`most` is the size of the largest read, and `kept` the size of all reads with more than blanks, in bytes."""

    most = 0
    kept = 0

    def read(self, size: int | None = -1, /) -> bytes:
        found = super().read(size)
        self.most = max(self.most, len(found))
        self.kept += len(found) if found.strip() else 0
        return found

    def readline(self, size: int | None = -1, /) -> bytes:
        found = super().readline(size)
        self.most = max(self.most, len(found))
        self.kept += len(found)  # the reader of the sample keeps each line
        return found


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        (b"id,when,x\r1,2013-01-01,3\r\n2,2013-01-02,4\r\n", [("1", "2013-01-01", "3"), ("2", "2013-01-02", "4")]),
        (b"\r\r id,when,x\r\r\n1,2,3\n", [("1", "2", "3")]),
        (b"sep=;\rid;when;x\r\n1;2;3\n", [("1", "2", "3")]),
        (b'"i\rd",when,x\r1,2,3\n', [("1", "2", "3")]),
    ],
)
def test_a_carriage_return_alone_ends_a_line(content: bytes, rows: list[tuple[str, ...]]) -> None:
    table = csv_file.read(io.BytesIO(content)).table
    assert [name.replace("\r", "") for name in table.column_names] == ["id", "when", "x"]
    assert [tuple(row.values()) for row in table.to_pylist()] == rows


@pytest.mark.parametrize("separator", [b",", b"\t"])
@pytest.mark.parametrize("before", [b"", b"\n", b"sep=,\r\n"])
def test_blank_lines_are_skipped_and_not_kept(separator: bytes, before: bytes) -> None:
    blank = before.replace(b",", separator) + b" \t\n" * MIB
    file = CountedFile(blank + separator + b"a\n1,2\n")
    header = read_header(file)
    assert (header.columns, header.separator) == (("", "a"), separator.decode())
    assert header.end == len(blank) + 3
    assert file.kept <= 3 * MIB


@pytest.mark.slow
@pytest.mark.parametrize("rows", [b"," * 4 * MIB + b"\n", b" \n" * 2 * MIB])
def test_the_sample_is_bounded(rows: bytes) -> None:
    file = CountedFile(b"a,b\n" + rows * 5)
    assert read_header(file).end == 4
    assert file.most <= MIB
    assert file.kept <= 2 * MIB


@pytest.mark.medium
@pytest.mark.parametrize("content", [b"," * 2 * MIB, b'"a,b\n' + b"1,2\n" * MIB, b"a" * MIB, b" " * 2 * MIB + b"a\n"])
def test_a_header_without_an_end_is_refused(content: bytes) -> None:
    with pytest.raises(UnreadableContentError) as refused:
        read_header(io.BytesIO(content))
    assert "1 MiB" in refused.value.why
    assert "the first line" in refused.value.advice


@pytest.mark.parametrize("separator", ["€", '"', "\x07"])
def test_only_a_separator_that_both_readers_know_can_be_named(separator: str) -> None:
    with pytest.raises(UnreadableContentError) as refused:
        read_header(io.BytesIO(f"sep={separator}\na{separator}b\n".encode()))
    assert repr(separator) in refused.value.why
    assert "sep=;" in refused.value.advice


@pytest.mark.parametrize("separator", [" ", "~", "\t"])
def test_another_separator_can_be_named(separator: str) -> None:
    content = f"sep={separator}\na{separator}b\n1{separator}2\n".encode()
    assert csv_file.read(io.BytesIO(content)).table.to_pylist() == [{"a": "1", "b": "2"}]


@pytest.mark.parametrize("content", [b"", b" \n\r\n", b"sep=;\n\n"])
def test_a_blank_file_has_no_columns(content: bytes) -> None:
    assert read_header(io.BytesIO(content)).columns == ()
