"""Reads the body of a request: bounded as it is sent, and bounded as it is once decompressed."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from rondo.serving.errors import RequestRefusedError

if TYPE_CHECKING:
    from starlette.requests import Request

MAX_BODY = 8 * 1024 * 1024
# RFC 9110, 8.4.1: `deflate` is the zlib format. The window's size is that of the format; 16 more means gzip.
_WINDOW_BITS = {"gzip": 16 + zlib.MAX_WBITS, "x-gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}


async def read_body(request: Request) -> bytes:
    """Return the body, decompressed if its `Content-Encoding` is gzip or deflate.

    Raises:
        RequestRefusedError: it is larger than 8 MiB, has another encoding, or can't be decompressed.

    """
    inflate = _inflater(request.headers.get("content-encoding", "identity"))
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        inflated = _inflated(inflate, part, MAX_BODY + 1 - size) if inflate else part
        size += len(inflated)
        if size > MAX_BODY:
            message = f"the body is larger than {MAX_BODY:,} bytes: send fewer rows at once"
            raise RequestRefusedError("too_large", message)
        parts.append(inflated)
    if inflate and (not inflate.eof or inflate.unused_data):
        raise _damaged("it continues after its end" if inflate.eof else "it ends too early")
    return b"".join(parts)


def _inflater(encoding: str) -> zlib._Decompress | None:
    name = encoding.strip().lower()
    if name == "identity":
        return None
    if name not in _WINDOW_BITS:
        message = f"the content encoding {encoding[:40]!r} is not supported: send gzip, deflate, or none"
        raise RequestRefusedError("unsupported_encoding", message)
    return zlib.decompressobj(_WINDOW_BITS[name])


def _inflated(inflate: zlib._Decompress, part: bytes, most: int) -> bytes:
    try:
        return inflate.decompress(part, most)
    except zlib.error as error:
        raise _damaged(str(error)) from None


def _damaged(why: str) -> RequestRefusedError:
    message = f"the body can't be decompressed ({why}): send it as its `content-encoding` names it"
    return RequestRefusedError("bad_encoding", message)
