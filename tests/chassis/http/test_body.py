"""Bodies are decoded by their Content-Encoding, and their decoded size is limited."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from rondo.chassis.http.body import (
    BodyTooLargeError,
    ContentEncodingError,
    DamagedBodyError,
    UnsupportedEncodingError,
    read_body,
)
from rondo.chassis.http.problems import HANDLERS
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

TEXT = b'{"inputs": []}' * 100
LIMIT = 1 << 20


async def read(parts: Sequence[bytes], encoding: str | None = None) -> bytes:
    messages: list[dict[str, Any]] = [
        {"type": "http.request", "body": part, "more_body": number + 1 < len(parts)}
        for number, part in enumerate(parts)
    ]
    left = iter(messages)

    async def receive() -> dict[str, Any]:
        return next(left)

    headers = [(b"content-encoding", encoding.encode())] if encoding is not None else []
    return await read_body(Request({"type": "http", "method": "POST", "path": "/", "headers": headers}, receive), LIMIT)


def cut(content: bytes, size: int) -> list[bytes]:
    return [content[start : start + size] for start in range(0, len(content), size)]


async def echo(request: Request) -> Response:
    return Response(await read_body(request, LIMIT))


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    app = Starlette(routes=[Route("/", echo, methods=["POST"])], exception_handlers=HANDLERS)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as client:
        yield client


@pytest.mark.parametrize(
    ("encoding", "content"),
    [(None, TEXT), ("", TEXT), ("identity", TEXT), ("gzip", gzip.compress(TEXT)), ("X-GZIP", gzip.compress(TEXT)),
     ("deflate", zlib.compress(TEXT)), ("gzip", gzip.compress(TEXT[:9]) + gzip.compress(TEXT[9:]))],
)  # fmt: skip
@pytest.mark.parametrize("size", [1, 7, 1 << 20])
async def test_a_body_is_decompressed_however_it_is_cut(encoding: str | None, content: bytes, size: int) -> None:
    assert await read(cut(content, size), encoding) == TEXT


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "\xff"])
async def test_another_encoding_is_refused(encoding: str, http: httpx.AsyncClient) -> None:
    with pytest.raises(UnsupportedEncodingError):
        await read([TEXT], encoding)
    answer = await http.post("/", content=TEXT, headers={"content-encoding": encoding.encode()})
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_encoding")
    assert answer.headers["accept-encoding"] == "gzip, deflate"
    assert "is not supported: send gzip, deflate, or none" in answer.json()["detail"]


@pytest.mark.parametrize(
    "content",
    [TEXT, gzip.compress(TEXT)[:-5], b"", gzip.compress(TEXT) + b"more", zlib.compress(TEXT)],
    ids=["not compressed", "cut", "empty", "followed by more", "of the other format"],
)
async def test_a_damaged_body_is_refused(content: bytes, http: httpx.AsyncClient) -> None:
    with pytest.raises(DamagedBodyError):
        await read([content], "gzip")
    answer = await http.post("/", content=content, headers={"content-encoding": "gzip"})
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_encoding")
    assert answer.json()["detail"].startswith("the body can't be decompressed (")
    assert "): send it as its `content-encoding` names it" in answer.json()["detail"]


@pytest.mark.parametrize(("encoding", "compress"), [(None, bytes), ("gzip", gzip.compress), ("deflate", zlib.compress)])
async def test_a_body_of_the_limit_is_read_and_a_larger_one_refused(encoding: str | None, compress: Any) -> None:
    assert len(await read(cut(compress(b" " * LIMIT), 1 << 16), encoding)) == LIMIT
    with pytest.raises(BodyTooLargeError):
        await read(cut(compress(b" " * (LIMIT + 1)), 1 << 16), encoding)


@pytest.mark.medium
async def test_a_small_body_never_becomes_a_large_one() -> None:
    bomb = gzip.compress(b" " * (64 << 20))
    assert len(bomb) < LIMIT
    tracemalloc.start()
    with pytest.raises(BodyTooLargeError):
        await read([bomb], "gzip")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 6 * LIMIT


def test_every_error_of_an_encoding_has_an_answer() -> None:
    assert {each for each in ContentEncodingError.__subclasses__() if each not in HANDLERS} == set()
