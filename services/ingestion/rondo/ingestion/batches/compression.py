"""Compression of a batch: one that is compressed with gzip is recognised, with and without a Content-Encoding."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from rondo.ingestion.errors import UnknownContentEncodingError, UnreadableFileError

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator

_GZIP = 16 + zlib.MAX_WBITS  # zlib's way to ask for the gzip format
_MAGIC = b"\x1f\x8b"  # no supported file format starts with it
_PIECE = 1024 * 1024  # bytes that one piece has at most, however well it was compressed


def decoded(chunks: AsyncIterable[bytes], encoding: str | None) -> AsyncIterable[bytes]:
    """Return the content of the chunks of a body or of a file.

    Raises:
        UnknownContentEncodingError: the coding is not supported.
        UnreadableFileError: (while it is read) the bytes are not valid gzip.

    """
    coding = (encoding or "identity").strip().lower()
    if coding == "identity":
        return _recognised(chunks)
    if coding in ("gzip", "x-gzip"):
        return _gunzipped(chunks)
    raise UnknownContentEncodingError(coding)


async def _recognised(chunks: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    source, start = aiter(chunks), b""
    while len(start) < len(_MAGIC) and (chunk := await anext(source, None)) is not None:
        start += chunk
    whole = _chained(start, source)
    async for piece in _gunzipped(whole) if start.startswith(_MAGIC) else whole:
        yield piece


async def _chained(start: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    if start:
        yield start
    async for chunk in rest:
        yield chunk


async def _gunzipped(chunks: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    inflate = zlib.decompressobj(_GZIP)
    try:
        async for chunk in chunks:
            rest = chunk
            while rest:
                if inflate.eof:  # a gzip file may have several members
                    inflate = zlib.decompressobj(_GZIP)
                yield inflate.decompress(rest, _PIECE)
                rest = inflate.unconsumed_tail or inflate.unused_data
        while inflate.unconsumed_tail:
            yield inflate.decompress(inflate.unconsumed_tail, _PIECE)
    except zlib.error as error:
        raise _damaged(str(error)) from None
    if not inflate.eof:
        raise _damaged("its end is missing")


def _damaged(why: str) -> UnreadableFileError:
    return UnreadableFileError("gzip", why, "compress the file again, or send it as it is")
