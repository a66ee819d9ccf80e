"""Reads the file of a batch: Parquet, CSV, JSON Lines or Arrow IPC in, a frame out, or a clear message."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import orjson
import polars as pl
import pyarrow as pa

from rondo.ingestion.errors import UnknownContentTypeError, UnreadableFileError

if TYPE_CHECKING:
    from pathlib import Path

FileFormat = Literal["Parquet", "CSV", "JSON Lines", "an Arrow stream", "an Arrow file"]
CONTENT_TYPES: dict[str, FileFormat] = {
    "application/vnd.apache.parquet": "Parquet",
    "text/csv": "CSV",
    "application/x-ndjson": "JSON Lines",
    "application/vnd.apache.arrow.stream": "an Arrow stream",
    "application/vnd.apache.arrow.file": "an Arrow file",
}
EXTENSIONS: dict[str, FileFormat] = {
    ".parquet": "Parquet",
    ".csv": "CSV",
    ".jsonl": "JSON Lines",
    ".ndjson": "JSON Lines",
    ".arrows": "an Arrow stream",
    ".arrow": "an Arrow file",
}
# These say of each column what it holds. A line of JSON says it of each value, but a column has one type: a text among
# numbers makes texts of all of them.
TYPED: frozenset[FileFormat] = frozenset(("Parquet", "an Arrow stream", "an Arrow file"))
_PARQUET, _ARROW = b"PAR1", b"ARROW1"
_ADVICE = "write the file anew and send it again"


def format_of(content_type: str | None) -> FileFormat:
    """Return the file_format that a content type names; parameters such as `charset` don't matter.

    Raises:
        UnknownContentTypeError: it names none that is taken.

    """
    said = (content_type or "").partition(";")[0].strip().lower()
    if said not in CONTENT_TYPES:
        raise UnknownContentTypeError(said, tuple(CONTENT_TYPES))
    return CONTENT_TYPES[said]


def read(path: Path, file_format: FileFormat) -> pl.DataFrame:
    """Read a batch's file.

    Raises:
        UnreadableFileError: the file is broken, or another kind of file.

    """
    _check_ends(path, file_format)
    try:
        return _READERS[file_format](path)
    except (pl.exceptions.PolarsError, pa.ArrowException, pa.ArrowInvalid, UnicodeDecodeError, OSError) as error:
        why = _bad_line(path) if file_format == "JSON Lines" else None
        raise UnreadableFileError(file_format, why or str(error).splitlines()[0][:300], _ADVICE) from None


def has_footer(path: Path, file_format: FileFormat) -> bool:
    """Say whether a file that is perhaps still being written has its end; forms without one count as whole."""
    if file_format not in ("Parquet", "an Arrow file"):
        return True
    mark = _PARQUET if file_format == "Parquet" else _ARROW
    return _ends(path)[1].endswith(mark)


def _ends(path: Path) -> tuple[bytes, bytes]:
    with path.open("rb") as file:
        first = file.read(8)
        file.seek(max(0, path.stat().st_size - 8))
        return first, file.read(8)


def _check_ends(path: Path, file_format: FileFormat) -> None:
    """Tell a wrong kind of file and a half-written one apart before a parser stumbles over either."""
    first, last = _ends(path)
    if not first:
        raise UnreadableFileError(file_format, "it has no bytes at all", "send the file itself as the body")
    found = "Parquet" if first.startswith(_PARQUET) else "an Arrow file" if first.startswith(_ARROW) else None
    if found and found != file_format:
        raise UnreadableFileError(file_format, f"it begins like {found}", "send the content type of the file as it is")
    mark = {"Parquet": _PARQUET, "an Arrow file": _ARROW}.get(file_format)
    if mark and not first.startswith(mark):
        raise UnreadableFileError(
            file_format, f"it does not begin with {mark.decode()}", "send the content type of the file"
        )
    if mark and not last.endswith(mark):
        why = f"it begins well, but its end is missing ({mark.decode()} should be the last bytes): it is half-written"
        raise UnreadableFileError(file_format, why, "wait until the file is complete and send it again")


def _read_csv(path: Path) -> pl.DataFrame:
    # As text throughout: the contract says the types, and a guess from the first rows would only be wrong later.
    frame = pl.read_csv(path, infer_schema=False)
    if any("\x00" in name for name in frame.columns):
        raise UnreadableFileError(
            "CSV", "it holds NUL characters, so it is no text", "send the content type of the file"
        )
    return frame


def _read_jsonl(path: Path) -> pl.DataFrame:
    return pl.read_ndjson(path, infer_schema_length=None)


def _read_stream(path: Path) -> pl.DataFrame:
    with pa.OSFile(str(path)) as file, pa.ipc.open_stream(file) as stream:
        return _framed(stream.read_all())


def _read_file(path: Path) -> pl.DataFrame:
    with pa.OSFile(str(path)) as file, pa.ipc.open_file(file) as source:
        return _framed(source.read_all())


def _read_parquet(path: Path) -> pl.DataFrame:
    return pl.read_parquet(path, hive_partitioning=False, glob=False)


def _framed(table: pa.Table) -> pl.DataFrame:
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)  # noqa: S101 - a table makes a frame
    return frame


def _bad_line(path: Path) -> str | None:
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                if line.strip() and not isinstance(orjson.loads(line), dict):
                    return f"line {number} is no JSON object"
            except orjson.JSONDecodeError as error:
                return f"line {number} is not JSON ({error})"
    return None


_READERS = {
    "Parquet": _read_parquet,
    "CSV": _read_csv,
    "JSON Lines": _read_jsonl,
    "an Arrow stream": _read_stream,
    "an Arrow file": _read_file,
}
