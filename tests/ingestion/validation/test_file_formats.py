"""The file of a batch, and what is said of one that can't be read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import pyarrow as pa
import pytest
from rondo.ingestion.errors import UnknownContentTypeError, UnreadableFileError
from rondo.ingestion.validation.file_formats import FileFormat, format_of, has_footer, read

from tests.ingestion.builders import parquet, rides

if TYPE_CHECKING:
    from pathlib import Path


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


def test_every_form_is_read(tmp_path: Path) -> None:
    for file_format, path in files(tmp_path).items():
        assert read(path, file_format)["ride"].to_list() == ["r0", "r1", "r2", "r3", "r4"]
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
        "the batch can't be read as Parquet: it begins well, but its end is missing (PAR1 should be the last bytes): "
        "it is half-written; wait until the file is complete and send it again"
    )


@pytest.mark.parametrize(
    ("content", "file_format", "said"),
    [
        (b"", "CSV", "it has no bytes at all; send the file itself as the body"),
        (b"a,b\n1,2\n", "Parquet", "it does not begin with PAR1; send the content type of the file"),
        (b"PAR1xxxxPAR1", "CSV", "it begins like Parquet; send the content type of the file as it is"),
        (b"PAR1xxxxxxxxPAR1", "Parquet", "write the file anew and send it again"),
        (b'{"a":1}\n{"a":\n', "JSON Lines", "line 2 is not JSON"),
        (b'{"a":1}\n[1]\n', "JSON Lines", "line 2 is no JSON object; write the file anew and send it again"),
        (b"\x00\xff garbage", "an Arrow stream", "write the file anew and send it again"),
        (b"\xff\xfe\x00a", "CSV", "it holds NUL characters, so it is no text; send the content type of the file"),
    ],
)
def test_what_is_no_such_file(content: bytes, file_format: FileFormat, said: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    text = message(path, file_format)
    assert text.startswith(f"the batch can't be read as {file_format}: ")
    assert said in text


def test_a_stream_that_breaks_off(tmp_path: Path) -> None:
    path = files(tmp_path)["an Arrow stream"]
    path.write_bytes(path.read_bytes()[:-200])
    assert "the batch can't be read as an Arrow stream" in message(path, "an Arrow stream")


def test_content_types() -> None:
    assert format_of("text/CSV; charset=utf-8") == "CSV"
    with pytest.raises(UnknownContentTypeError) as raised:
        format_of("application/pickle")
    assert raised.value.given == "application/pickle"
    assert "text/csv" in raised.value.known


def test_csv_is_not_guessed_at(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("a,b\n01,\n")
    assert read(path, "CSV").equals(pl.DataFrame({"a": ["01"], "b": [None]}, schema={"a": pl.String, "b": pl.String}))


def test_arrow_types_arrive(tmp_path: Path) -> None:
    path = tmp_path / "x.arrows"
    table = pa.table({"a": pa.array(["x", None]).dictionary_encode(), "b": pa.array([1, 2], pa.int8())})
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    assert read(path, "an Arrow stream").to_dict(as_series=False) == {"a": ["x", None], "b": [1, 2]}
