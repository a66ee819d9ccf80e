"""Content codings of an upload: a batch may be sent compressed with gzip."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from rondo.ingestion.errors import UnknownContentEncodingError, UnreadableFileError

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator

_GZIP = 16 + zlib.MAX_WBITS  # zlib's way to ask for the gzip format
_PIECE = 1024 * 1024  # bytes that one piece has at most, however well it was compressed


def decoded(chunks: AsyncIterable[bytes], encoding: str | None) -> AsyncIterable[bytes]:
    """Return the content of chunks that were sent with a Content-Encoding.

    Raises:
        UnknownContentEncodingError: the coding is not supported.
        UnreadableFileError: (while it is read) the bytes are not gzip.

    """
    coding = (encoding or "identity").strip().lower()
    if coding == "identity":
        return chunks
    if coding in ("gzip", "x-gzip"):
        return _gunzipped(chunks)
    raise UnknownContentEncodingError(coding)


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
    return UnreadableFileError("gzip", why, "compress the file again, or send it without Content-Encoding")
