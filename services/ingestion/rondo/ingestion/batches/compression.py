"""Decompresses a batch by its Content-Encoding. Without one, gzip is recognised by its first bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rondo.chassis.http import body
from rondo.ingestion.errors import UnreadableFileError

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator

_MAGIC = b"\x1f\x8b"  # no supported file format starts with it


def decoded(chunks: AsyncIterable[bytes], encoding: str | None) -> AsyncIterable[bytes]:
    """Return the decompressed content of the chunks of a body or of a file.

    Raises:
        UnsupportedEncodingError: the encoding is not supported.
        UnreadableFileError: the bytes do not have that encoding. It is raised while they are read.

    """
    content = body.decoded(chunks, encoding)
    if content is chunks:
        return _readable(_recognised(chunks), "gzip")
    return _readable(content, (encoding or "").strip().lower())


async def _recognised(chunks: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    source, start = aiter(chunks), b""
    while len(start) < len(_MAGIC) and (chunk := await anext(source, None)) is not None:
        start += chunk
    whole = _chained(start, source)
    async for piece in body.decoded(whole, "gzip") if start.startswith(_MAGIC) else whole:
        yield piece


async def _chained(start: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    if start:
        yield start
    async for chunk in rest:
        yield chunk


async def _readable(pieces: AsyncIterable[bytes], encoding: str) -> AsyncIterator[bytes]:
    try:
        async for piece in pieces:
            yield piece
    except body.DamagedBodyError as error:
        raise UnreadableFileError(encoding, error.why, "compress the file again, or send it as it is") from None
