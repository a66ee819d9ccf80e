"""Converts texts of files to UTF-8 with line feeds, which the parsers of CSV and JSON Lines need."""

from __future__ import annotations

import codecs
import re
import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

from rondo.contracts.batch_files.errors import UnreadableContentError

if TYPE_CHECKING:
    from collections.abc import Iterator

# The longest first, because the mark of UTF-32 begins with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_START = 65_536  # bytes
_CHUNK = 1 << 20
_MOST_SHOWN = 40  # characters
_NO_WORD = re.compile(r"[,;\t|\"\r\n]")


@contextmanager
def utf8(file: BinaryIO) -> Iterator[BinaryIO]:
    """Yield the text of a file as UTF-8, positioned after a byte order mark.

    This is the file itself. It is a temporary file if a byte order mark names another encoding, or if lines end with a
    lone carriage return, as on old Macs.

    Raises:
        UnreadableContentError: the text has NUL characters, as UTF-16 without a mark has, or does not match its byte
            order mark.

    """
    file.seek(0)
    start = file.read(_START)
    mark, encoding = next(((mark, name) for mark, name in _MARKS if start.startswith(mark)), (b"", "utf-8"))
    if encoding != "utf-8":
        with tempfile.TemporaryFile() as converted:
            _convert(file, encoding, converted)
            with utf8(converted) as text:
                yield text
        return
    if b"\x00" in start.split(b"\n", 1)[0]:
        why = "it holds NUL characters, as UTF-16 without a byte order mark does"
        raise UnreadableContentError(why, "save it as UTF-8, or convert it: `iconv -f utf-16le -t utf-8 FILE`")
    if b"\r" in start and b"\n" not in start:
        file.seek(len(mark))
        with tempfile.TemporaryFile() as text:
            while chunk := file.read(_CHUNK):
                text.write(chunk.replace(b"\r", b"\n"))
            text.seek(0)
            yield text
        return
    file.seek(len(mark))
    yield file


def not_utf8(text: BinaryIO) -> UnreadableContentError | None:
    """Return the error of the first bytes that are not UTF-8, with the word as Latin-1 reads it. None for UTF-8."""
    text.seek(0)
    for number, line in enumerate(text, 1):
        try:
            line.decode()
        except UnicodeDecodeError as error:
            # This encoding has one character for each byte, so that positions are the same. It is Latin-1 with some
            # more characters.
            shown, at = line.decode("cp1252", errors="replace"), error.start
            before, after = _NO_WORD.split(shown[:at])[-1], _NO_WORD.split(shown[at:])[0]
            word = f"{before[-_MOST_SHOWN:]}{after[:_MOST_SHOWN]}"
            if not word.isprintable() or "\ufffd" in word:
                return UnreadableContentError(f"line {number} is no text", "is it of the format that its name says?")
            return UnreadableContentError(
                f"line {number} is not UTF-8: {word!r} if it is Latin-1",
                "save it as UTF-8, or convert it: `iconv -f windows-1252 -t utf-8 FILE`, where that word is right",
            )
    return None


def _convert(file: BinaryIO, encoding: str, result: BinaryIO) -> None:
    decoder = codecs.getincrementaldecoder(encoding)()
    file.seek(0)
    try:
        while chunk := file.read(_CHUNK):
            result.write(decoder.decode(chunk).encode())
        result.write(decoder.decode(b"", final=True).encode())
    except UnicodeError as error:
        why = f"its byte order mark says {encoding.upper()}, and its text is not ({error})"
        raise UnreadableContentError(why, "save it as UTF-8") from None
