"""Bodies of requests: decoded by their Content-Encoding, with a limit on the decoded size.

`gzip` and `deflate` (the zlib format) are content codings of RFC 9110, 8.4.1. `x-gzip` is `gzip`.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, ClassVar

from rondo.chassis.errors import PermanentError

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator

    from starlette.requests import Request

# RFC 9110, 15.5.16: a 415 for a content encoding lists the supported ones.
ACCEPTED = "gzip, deflate"
# The size of the window is that of the format. Adding 16 selects gzip.
_WINDOW_BITS = {"gzip": 16 + zlib.MAX_WBITS, "x-gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}
_PIECE = 1024 * 1024  # the largest size of one piece in bytes, after decompression


class ContentEncodingError(PermanentError):
    """The content of a body can't be decoded."""

    code: ClassVar[str]


class UnsupportedEncodingError(ContentEncodingError):
    """The Content-Encoding is not supported. `accepted` are the supported ones."""

    code = "unsupported_encoding"
    accepted: ClassVar[str] = ACCEPTED

    def __init__(self, given: str) -> None:
        self.given = given[:40]
        super().__init__(f"the content encoding {self.given!r} is not supported: send gzip, deflate, or none")


class CompressedJsonError(UnsupportedEncodingError):
    """A JSON body has a Content-Encoding, but only files and specs are decompressed."""

    accepted = "identity"

    def __init__(self, given: str) -> None:
        self.given = given[:40]
        super(UnsupportedEncodingError, self).__init__(
            f"the content encoding {self.given!r} is not supported here: send the JSON as it is, without the header"
            " content-encoding"
        )


class DamagedBodyError(ContentEncodingError):
    """The bytes do not have the given Content-Encoding."""

    code = "bad_encoding"

    def __init__(self, why: str) -> None:
        self.why = why
        super().__init__(f"the body can't be decompressed ({why}): send it as its `content-encoding` names it")


class BodyTooLargeError(Exception):
    """The body has more bytes than a limit."""


def decoded(chunks: AsyncIterable[bytes], encoding: str | None) -> AsyncIterable[bytes]:
    """Return the content of the chunks of a body, in pieces of at most 1 MiB if it was compressed.

    Raises:
        UnsupportedEncodingError: the encoding is not supported.
        DamagedBodyError: the bytes do not have that encoding. It is raised while they are read.

    """
    name = (encoding or "identity").strip().lower()
    if name == "identity":
        return chunks
    if name not in _WINDOW_BITS:
        raise UnsupportedEncodingError(name)
    return _inflated(chunks, _WINDOW_BITS[name])


async def read_body(request: Request, limit: int) -> bytes:
    """Return the decompressed content of a body, of at most `limit` bytes.

    Raises:
        BodyTooLargeError: it has more bytes. At most `limit` bytes and one piece are in memory then.
        UnsupportedEncodingError: the encoding is not supported.
        DamagedBodyError: the bytes do not have that encoding.

    """
    parts, size = [], 0
    async for part in decoded(request.stream(), request.headers.get("content-encoding")):
        size += len(part)
        if size > limit:
            raise BodyTooLargeError
        parts.append(part)
    return b"".join(parts)


async def _inflated(chunks: AsyncIterable[bytes], window_bits: int) -> AsyncIterator[bytes]:
    inflate = zlib.decompressobj(window_bits)
    try:
        async for chunk in chunks:
            rest = chunk
            while rest:
                if inflate.eof:  # a gzip file may have several members
                    inflate = zlib.decompressobj(window_bits)
                yield inflate.decompress(rest, _PIECE)
                rest = inflate.unconsumed_tail or inflate.unused_data
    except zlib.error as error:
        raise DamagedBodyError(str(error)) from None
    if not inflate.eof:
        raise DamagedBodyError("its end is missing")
