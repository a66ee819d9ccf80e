"""The formats of a batch by content type and by suffix, and the magic numbers in their first bytes."""

from __future__ import annotations

import codecs
import re
from typing import TYPE_CHECKING, BinaryIO, Literal

from rondo.contracts.batch_files.errors import UnreadableContentError

if TYPE_CHECKING:
    from collections.abc import Mapping

FileFormat = Literal["Parquet", "CSV", "JSON Lines", "an Arrow stream", "an Arrow file"]
FORMATS: Mapping[str, FileFormat] = {
    "application/vnd.apache.parquet": "Parquet",
    "text/csv": "CSV",
    "text/tab-separated-values": "CSV",
    "application/x-ndjson": "JSON Lines",
    "application/vnd.apache.arrow.stream": "an Arrow stream",
    "application/vnd.apache.arrow.file": "an Arrow file",
}
CONTENT_TYPES: Mapping[str, str] = {
    ".parquet": "application/vnd.apache.parquet",
    ".csv": "text/csv",
    ".tsv": "text/tab-separated-values",
    ".jsonl": "application/x-ndjson",
    ".ndjson": "application/x-ndjson",
    ".arrows": "application/vnd.apache.arrow.stream",
    ".arrow": "application/vnd.apache.arrow.file",
}
EXTENSIONS: Mapping[str, FileFormat] = {suffix: FORMATS[content] for suffix, content in CONTENT_TYPES.items()}
# Formats in which each column has a type.
TYPED: frozenset[FileFormat] = frozenset(("Parquet", "an Arrow stream", "an Arrow file"))
# This suffix follows that of the format. Ingestion decompresses gzip with or without the suffix.
GZIP_SUFFIX = ".gz"
_PARQUET, _ARROW, _STREAM = b"PAR1", b"ARROW1", b"\xff\xff\xff\xff"
_FOOTERS: Mapping[FileFormat, bytes] = {"Parquet": _PARQUET, "an Arrow file": _ARROW}
# The magic numbers of compressed files. Without this check polars would decompress some of them, without a limit, and
# would not notice that the end of a zlib stream is missing.
_COMPRESSED = {
    b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd", b"BZh": "bzip2", b"\xfd7zXZ": "xz",
    b"x\x01": "zlib", b"x\x9c": "zlib", b"x\xda": "zlib",
}  # fmt: skip
_ZIP, _OLD_OFFICE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"
_WORKBOOK = (b"xl/", b"[Content_Types].xml", b"mimetype")
# The first characters of texts that are no CSV. A name of a column may begin with a bracket, too, or be `<DATE>`.
_NO_CSV = re.compile(
    rb"""(?:\xef\xbb\xbf)?\s*(?:
    (?P<lines>\{\s*"[^"]*"\s*:)
    |(?P<array>\[\s*(?:\{\s*["}]|\r?\n))
    |(?P<markup><(?:[!?]|[a-z][\w:.-]*(?:\s+[\w:.-]+\s*=|\s*/?>(?!\ *[,;|\t]))))
    )""",
    re.IGNORECASE | re.VERBOSE,
)
_NAMES = {"lines": "JSON", "array": "a JSON array", "markup": "HTML or XML"}
_EDGE = 64  # bytes
_MOST_SHOWN = 30  # characters
_CHECK_FORMAT = "name the file, or its content type, by its format"
_ADVICE_OF_TEXT = {
    "JSON": "name it .jsonl, with one object per line",
    "a JSON array": "write one object per line, as `jq -c '.[]' FILE` does, and name it .jsonl",
    "HTML or XML": "take the data itself: a failed download is often saved as a page",
}
_SAVE_SHEET = "save the sheet as CSV (UTF-8) and take that file"


def split_name(name: str) -> tuple[str, str]:
    """Return the stem of a file's name and the suffix of its format: `January` and `.csv` for `January.CSV.gz`."""
    plain = name[: -len(GZIP_SUFFIX)] if name.lower().endswith(GZIP_SUFFIX) else name
    stem, dot, suffix = plain.rpartition(".")
    return (stem, f".{suffix.lower()}") if stem and dot else (plain, "")


def has_footer(file: BinaryIO, file_format: FileFormat) -> bool:
    """Return whether a file, which a program may still be writing, has its footer.

    True for formats without a footer.
    """
    footer = _FOOTERS.get(file_format)
    return footer is None or _edges(file)[1].endswith(footer)


def check_markers(file: BinaryIO, file_format: FileFormat) -> None:
    """Check the first and last bytes, so that the error names the cause before a parser fails without one.

    Raises:
        UnreadableContentError: the file is empty, compressed, incomplete, or has another format.

    """
    first, last = _edges(file)
    if not first:
        raise UnreadableContentError("it is empty", "send the file itself as the body")
    if first.startswith(_OLD_OFFICE) or (first.startswith(_ZIP) and any(part in first for part in _WORKBOOK)):
        raise UnreadableContentError("it is a workbook of Excel or another spreadsheet program", _SAVE_SHEET)
    if first.startswith(_ZIP):
        raise _compressed("zip")
    for magic, compression in _COMPRESSED.items():
        if first.startswith(magic):
            raise _compressed(compression)
    found: FileFormat | None = next((name for name, magic in _FOOTERS.items() if first.startswith(magic)), None)
    if found and found != file_format:
        raise UnreadableContentError(f"it starts like {found}", _CHECK_FORMAT)
    if problem := _first_bytes_problem(first, file_format):
        raise problem
    marker = _FOOTERS.get(file_format)
    if marker and not first.startswith(marker):
        raise UnreadableContentError(f"it does not start with {marker.decode()}", _CHECK_FORMAT)
    if marker and not last.endswith(marker):
        why = f"it is half-written, the last bytes are not {marker.decode()}"
        raise UnreadableContentError(why, "wait until the file is complete and send it again")


def _first_bytes_problem(first: bytes, file_format: FileFormat) -> UnreadableContentError | None:
    """Return the error for a format without a magic number that has the first bytes of another one."""
    if file_format in ("CSV", "JSON Lines") and first.startswith(_STREAM):
        return UnreadableContentError("it starts like an Arrow stream", _CHECK_FORMAT)
    if file_format == "CSV" and (text := _NO_CSV.match(first)):
        shown = first.removeprefix(codecs.BOM_UTF8).decode(errors="replace").strip().splitlines()[0][:_MOST_SHOWN]
        kind = _NAMES[str(text.lastgroup)]
        why = f"line 1 begins like {kind}, with {shown!r}, and not with the names of columns"
        return UnreadableContentError(why, _ADVICE_OF_TEXT[kind])
    # A stream of an early release of Arrow begins with the size of its schema, which has less than 16 MiB.
    if file_format == "an Arrow stream" and not (first.startswith(_STREAM) or first[3:4] == b"\0"):
        return UnreadableContentError(f"it starts with {first[:8]!r}, which no Arrow stream does", _CHECK_FORMAT)
    return None


def _compressed(kind: str) -> UnreadableContentError:
    return UnreadableContentError(f"it is compressed with {kind}", "send it compressed with gzip once, or as it is")


def _edges(file: BinaryIO) -> tuple[bytes, bytes]:
    """Return the first and the last bytes, and reset the file to its start."""
    file.seek(0)
    first = file.read(_EDGE)
    file.seek(max(0, file.seek(0, 2) - _EDGE))
    last = file.read(_EDGE)
    file.seek(0)
    return first, last
