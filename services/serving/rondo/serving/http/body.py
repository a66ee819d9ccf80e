"""Reads the body of a request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rondo.chassis.http import body
from rondo.serving.errors import RequestRefusedError
from rondo.serving.open_inference.protocol import MAX_BODY

if TYPE_CHECKING:
    from starlette.requests import Request

# The header of the binary tensor extension with the number of JSON bytes of a body. Raw contents of tensors follow
# them.
HEADER_LENGTH = "inference-header-content-length"
_MAX_DIGITS = 12


async def read_body(request: Request) -> bytes:
    """Return the body, decompressed if its `Content-Encoding` is gzip or deflate.

    Raises:
        RequestRefusedError: the body is larger than 8 MiB, has another encoding, or can't be decompressed.

    """
    try:
        return await body.read_body(request, MAX_BODY)
    except body.ContentEncodingError as error:
        raise RequestRefusedError(error.code, str(error)) from None
    except body.BodyTooLargeError:
        message = f"the body is larger than {MAX_BODY:,} bytes: send fewer rows at once"
        raise RequestRefusedError("too_large", message) from None


def header_length(request: Request, body: bytes) -> int | None:
    """Return the number of JSON bytes of the body, from the request's headers. None if the header is absent.

    Raises:
        RequestRefusedError: the value is not a number, or is larger than the body.

    """
    sent = request.headers.get(HEADER_LENGTH)
    if sent is None:
        return None
    if not (sent.isascii() and sent.isdigit() and len(sent) <= _MAX_DIGITS and int(sent) <= len(body)):
        message = f"the header {HEADER_LENGTH} is {sent[:20]!r}: send how many of the {len(body):,} bytes are JSON"
        raise RequestRefusedError("bad_request", message)
    return int(sent)
