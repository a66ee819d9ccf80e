"""Reads the body of a request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rondo.chassis.http import body
from rondo.serving.errors import RequestRefusedError

if TYPE_CHECKING:
    from starlette.requests import Request

MAX_BODY = 8 * 1024 * 1024


async def read_body(request: Request) -> bytes:
    """Return the body, decompressed if its `Content-Encoding` is gzip or deflate.

    Raises:
        RequestRefusedError: it is larger than 8 MiB, has another encoding, or can't be decompressed.

    """
    try:
        return await body.read_body(request, MAX_BODY)
    except body.ContentEncodingError as error:
        raise RequestRefusedError(error.code, str(error)) from None
    except body.BodyTooLargeError:
        message = f"the body is larger than {MAX_BODY:,} bytes: send fewer rows at once"
        raise RequestRefusedError("too_large", message) from None
