"""The errors of bodies that serving does not read."""

from __future__ import annotations

import gzip

import pytest
from rondo.serving.errors import RequestRefusedError
from rondo.serving.http.body import MAX_BODY, read_body
from starlette.requests import Request


async def read(content: bytes, encoding: str) -> bytes:
    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": content, "more_body": False}

    headers = [(b"content-encoding", encoding.encode())]
    return await read_body(Request({"type": "http", "method": "POST", "path": "/", "headers": headers}, receive))


@pytest.mark.parametrize(
    ("content", "encoding", "code"),
    [
        (b"{}", "br", "unsupported_encoding"),
        (b"{}", "gzip", "bad_encoding"),
        (b" " * (MAX_BODY + 1), "identity", "too_large"),
        (gzip.compress(b" " * (MAX_BODY + 1)), "gzip", "too_large"),
    ],
)
async def test_a_body_that_cannot_be_read_is_refused(content: bytes, encoding: str, code: str) -> None:
    with pytest.raises(RequestRefusedError) as caught:
        await read(content, encoding)
    assert caught.value.code == code


async def test_a_body_of_8_mib_is_read() -> None:
    assert len(await read(gzip.compress(b" " * MAX_BODY), "gzip")) == MAX_BODY
