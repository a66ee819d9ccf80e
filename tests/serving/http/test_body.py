"""Bodies are bounded as they are sent and as they are once decompressed; other encodings are refused."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib
from typing import TYPE_CHECKING, Any

import pytest
from rondo.serving.errors import RequestRefusedError
from rondo.serving.http.body import MAX_BODY, read_body
from starlette.requests import Request

if TYPE_CHECKING:
    from collections.abc import Sequence

TEXT = b'{"inputs": []}' * 100


async def read(parts: Sequence[bytes], encoding: str | None = None) -> bytes:
    messages: list[dict[str, Any]] = [
        {"type": "http.request", "body": part, "more_body": number + 1 < len(parts)}
        for number, part in enumerate(parts)
    ]
    left = iter(messages)

    async def receive() -> dict[str, Any]:
        return next(left)

    headers = [(b"content-encoding", encoding.encode())] if encoding else []
    return await read_body(Request({"type": "http", "method": "POST", "path": "/", "headers": headers}, receive))


def cut(content: bytes, size: int) -> list[bytes]:
    return [content[start : start + size] for start in range(0, len(content), size)]


@pytest.mark.parametrize(
    ("encoding", "content"),
    [(None, TEXT), ("identity", TEXT), ("gzip", gzip.compress(TEXT)), ("X-GZIP", gzip.compress(TEXT)),
     ("deflate", zlib.compress(TEXT))],
)  # fmt: skip
@pytest.mark.parametrize("size", [1, 7, 1 << 20])
async def test_a_body_is_decompressed_however_it_is_cut(encoding: str | None, content: bytes, size: int) -> None:
    assert await read(cut(content, size), encoding) == TEXT


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "\xff"])
async def test_another_encoding_is_refused(encoding: str) -> None:
    with pytest.raises(RequestRefusedError) as caught:
        await read([TEXT], encoding)
    assert caught.value.code == "unsupported_encoding"


@pytest.mark.parametrize(
    "content",
    [TEXT, gzip.compress(TEXT)[:-5], b"", gzip.compress(TEXT) + b"more", zlib.compress(TEXT)],
    ids=["not compressed", "cut", "empty", "followed by more", "of the other format"],
)
async def test_a_damaged_body_is_refused(content: bytes) -> None:
    with pytest.raises(RequestRefusedError) as caught:
        await read([content], "gzip")
    assert caught.value.code == "bad_encoding"


@pytest.mark.parametrize(("encoding", "compress"), [(None, bytes), ("gzip", gzip.compress), ("deflate", zlib.compress)])
async def test_a_body_of_8_mib_is_read_and_a_larger_one_refused(encoding: str | None, compress: Any) -> None:
    assert len(await read(cut(compress(b" " * MAX_BODY), 1 << 16), encoding)) == MAX_BODY
    with pytest.raises(RequestRefusedError) as caught:
        await read(cut(compress(b" " * (MAX_BODY + 1)), 1 << 16), encoding)
    assert caught.value.code == "too_large"


async def test_a_small_body_never_becomes_a_large_one() -> None:
    bomb = gzip.compress(b" " * (64 << 20))
    assert len(bomb) < 1 << 20
    tracemalloc.start()
    with pytest.raises(RequestRefusedError) as caught:
        await read([bomb], "gzip")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert caught.value.code == "too_large"
    assert peak < 4 * MAX_BODY
